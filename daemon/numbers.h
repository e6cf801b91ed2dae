// Numbers as clients write them: units, times to live, and the integers of CL.THROTTLE.
//
// Strict, because a number misread is a limit misapplied: decimal digits only, one spelling for
// each number (no '+', no blanks, no leading zeros), and a number out of range is no number. Each
// returns false and leaves its result alone if the text is not such a number. Pure functions; any
// thread; nothing allocates.
#pragma once

#include <cstdint>
#include <string_view>

namespace toll::daemon {

inline constexpr int64_t kTtlMinUs = 1'000;                          // 1 ms
inline constexpr int64_t kTtlMaxUs = 366LL * 24 * 3600 * 1'000'000;  // a leap year

// "1" to "2147483647", without a sign.
[[nodiscard]] bool parse_units(std::string_view text, int64_t& units);

// A time to live in microseconds, kTtlMinUs to kTtlMaxUs. A bare number is milliseconds; otherwise
// a number and one of us, ms, s, m, h, d.
[[nodiscard]] bool parse_ttl(std::string_view text, int64_t& ttl_us);

// A 64-bit integer from `min` to `max`, as Redis reads one: "-7", "0", "7".
[[nodiscard]] bool parse_integer(std::string_view text, int64_t min, int64_t max, int64_t& value);

}  // namespace toll::daemon
