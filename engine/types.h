// The words the engine speaks: time, who decided, and what was decided.
//
// Plain values, owned by whoever holds them; nothing here allocates, locks or reads a clock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace toll::engine {

// Microseconds since the Unix epoch, handed in by the caller. May stand still and may step back;
// no algorithm admits more because of it.
using TimeUs = int64_t;

inline constexpr int64_t kUsPerMs = 1'000;
inline constexpr int64_t kNever = -1;  // as a wait: the request can never be admitted

// Who decided; the names are PROTOCOL's.
enum class Source : uint8_t { kRedis, kLease, kCache, kLocal, kOpen, kClosed };
inline constexpr size_t kSources = 6;

constexpr std::string_view to_string(Source source) {
  switch (source) {
    case Source::kRedis:
      return "redis";
    case Source::kLease:
      return "lease";
    case Source::kCache:
      return "cache";
    case Source::kLocal:
      return "local";
    case Source::kOpen:
      return "open";
    case Source::kClosed:
      return "closed";
  }
  return "";
}

// A wait in microseconds as the milliseconds a client is told: rounded up, so that waiting that
// long is always enough. kNever stays kNever.
constexpr int64_t wait_ms(int64_t wait_us) {
  return wait_us < 0 ? kNever : (wait_us + kUsPerMs - 1) / kUsPerMs;
}

// What one limit, or the limit that speaks for several, has to say after a request.
struct Answer {
  int64_t limit = 0;      // the most that can be used at once: count, burst, or tickets
  int64_t remaining = 0;  // left after this request; negative only after CHARGE
  int64_t retry_us = 0;   // wait until the same request can be admitted; 0 if it was, kNever
  int64_t reset_us = 0;   // wait until nothing is used
};

}  // namespace toll::engine
