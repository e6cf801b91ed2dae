// Spans and a moment in microseconds, as tests name them.
#pragma once

#include <cstdint>

namespace toll {

inline constexpr int64_t kMs = 1'000;
inline constexpr int64_t kSecond = 1'000 * kMs;
inline constexpr int64_t kMinute = 60 * kSecond;
inline constexpr int64_t kHour = 60 * kMinute;
inline constexpr int64_t kOneDay = 24 * kHour;

// Some day in 2026, since the Unix epoch.
inline constexpr int64_t kNoon = 1'790'000'000 * kSecond;

}  // namespace toll
