#include "net/clock.h"

#include <algorithm>
#include <time.h>

namespace toll::net {
namespace {

constexpr int64_t kUsPerS = 1'000'000;
constexpr int64_t kNsPerUs = 1'000;
constexpr int64_t kSlewDivisor = 10;  // run a tenth slower while ahead

int64_t read_us(clockid_t id) {
  timespec time{};
  clock_gettime(id, &time);
  return int64_t{time.tv_sec} * kUsPerS + time.tv_nsec / kNsPerUs;
}

}  // namespace

int64_t monotonic_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return int64_t{time.tv_sec} * kUsPerS * kNsPerUs + time.tv_nsec;
}

Clock::Clock()
    : offset_us_(read_us(CLOCK_REALTIME) - read_us(CLOCK_MONOTONIC)),
      adjusted_at_us_(read_us(CLOCK_MONOTONIC)) {}

int64_t Clock::now_us() const {
  return read_us(CLOCK_MONOTONIC) + offset_us();
}

void Clock::adjust() {
  adjust(read_us(CLOCK_MONOTONIC), read_us(CLOCK_REALTIME));
}

void Clock::adjust(int64_t monotonic_us, int64_t realtime_us) {
  const int64_t wanted = realtime_us - monotonic_us;
  const int64_t offset = offset_us();
  const int64_t elapsed = std::max<int64_t>(monotonic_us - adjusted_at_us_, 0);
  adjusted_at_us_ = monotonic_us;
  // Ahead of the system: give back at most a tenth of what has passed, so that our time still
  // advances.
  const int64_t next = std::max(wanted, offset - elapsed / kSlewDivisor);
  offset_us_.store(next, std::memory_order_relaxed);
}

}  // namespace toll::net
