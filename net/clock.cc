#include "net/clock.h"

#include <algorithm>

namespace toll::net {
namespace {

constexpr int64_t kSlewDivisor = 10;  // run a tenth slower while ahead

}  // namespace

Clock::Clock(const Machine& machine)
    : machine_(machine),
      offset_us_(machine.realtime_us() - monotonic_us()),
      adjusted_at_us_(monotonic_us()) {}

int64_t Clock::monotonic_us() const {
  return machine_.monotonic_ns() / kNsPerUs;
}

int64_t Clock::now_us() const {
  return monotonic_us() + offset_us();
}

void Clock::adjust() {
  adjust(monotonic_us(), machine_.realtime_us());
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
