// The daemon's one clock: microseconds since the Unix epoch, shielded from the system clock's
// jumps.
//
// It runs with the machine's monotonic clock and is held against the system's about once a second:
// a step forward is taken at once; a step back is worked off in small steps, a tenth of what has
// passed each time, so that over a second our time always advances and counted windows do not come
// again. All workers read the same offset, so they agree.
#pragma once

#include <atomic>
#include <cstdint>

#include "net/machine.h"

namespace toll::net {

class Clock {
 public:
  // `machine` outlives the clock.
  explicit Clock(const Machine& machine);

  // Any thread. About 20 ns: read it once a turn.
  int64_t now_us() const;

  // Holds the clock against the system's. Call about once a second, from one thread.
  void adjust();

  // What adjust() does, with the readings handed in: for tests.
  void adjust(int64_t monotonic_us, int64_t realtime_us);
  int64_t offset_us() const { return offset_us_.load(std::memory_order_relaxed); }

 private:
  int64_t monotonic_us() const;

  const Machine& machine_;
  std::atomic<int64_t> offset_us_;  // realtime - monotonic, as we tell it
  int64_t adjusted_at_us_;          // monotonic; the adjusting thread's own
};

}  // namespace toll::net
