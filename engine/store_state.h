// A limit's state as the script tells it, for each algorithm: how it is read, and the functions of
// engine/algorithms.h on it. Where the shard keeps every entry or ticket, the script tells their
// sum and the few times that answers need. Internal to the store's side; any thread.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/algorithms.h"
#include "engine/calendar.h"
#include "engine/limits.h"
#include "engine/policy.h"
#include "engine/store_pack.h"
#include "engine/types.h"

namespace toll::engine {

inline constexpr int64_t kTimeMaxMs = kTimeMaxUs / kUsPerMs;
// Far beyond what a count and its debt come to, since limits may be lowered and others may write
// the same keys; and far below what could overflow.
inline constexpr int64_t kUsedMax = int64_t{1} << 40;
// What a refused request is told to wait at least. An entry that others wrote may lie within a
// millisecond of leaving.
inline constexpr int64_t kRetryMinUs = kUsPerMs;

// StoreState<A>: the state of algorithm A, and its functions where they are A's own. read() is
// false where the numbers are none that the functions may be called with.
template <typename A>
struct StoreState : A {
  using State = typename A::State;
  static bool read(const Limit& limit, TimeUs now, PackReader& reader, State& state);
};

template <>
inline bool StoreState<Gcra>::read(const Limit& limit, TimeUs, PackReader& reader, State& state) {
  state.tat_us = reader.number(0, int64_t{1} << 53);
  state.tat_fraction = static_cast<uint32_t>(reader.number(0, limit.count - 1));
  return !reader.failed();
}

template <>
inline bool StoreState<TokenBucket>::read(const Limit& limit, TimeUs now, PackReader& reader,
                                          State& state) {
  state.missing = reader.number(0, limit.burst + kDebtUnitsMax);
  state.fraction =
      static_cast<uint64_t>(reader.number(0, state.missing == 0 ? 0 : limit.window_us - 1));
  state.last_us = reader.number(0, kTimeMaxUs);
  TokenBucket::advance(limit, state, now);
  return !reader.failed();
}

template <>
inline bool StoreState<FixedWindow>::read(const Limit& limit, TimeUs now, PackReader& reader,
                                          State& state) {
  state.start_ms = reader.number(0, kTimeMaxMs);
  state.used = reader.number(0, kTimeMaxUs);  // others may count in it too
  FixedWindow::advance(limit, state, now);
  return !reader.failed();
}

template <>
inline bool StoreState<SlidingWindow>::read(const Limit& limit, TimeUs now, PackReader& reader,
                                            State& state) {
  state.start_ms = reader.number(0, kTimeMaxMs);
  state.current = reader.number(0, kUsedMax);
  state.previous = reader.number(0, kUsedMax);
  if (window_at(limit, state.start_ms).start_ms != state.start_ms) return false;
  SlidingWindow::advance(limit, state, now);
  return !reader.failed();
}

// ---- what the script keeps entries or tickets of ----

// Of a sliding log: the units in view, the newest entry's time, and the time of the entry that a
// refused request waits for.
struct LogSummary {
  struct State {
    int64_t used = 0;
    int64_t newest_ms = 0;
    int64_t blocker_ms = 0;
  };
  static bool read(const Limit&, TimeUs, PackReader& reader, State& state) {
    state.used = reader.number(0, kUsedMax);
    state.newest_ms = reader.number(0, kTimeMaxMs);
    state.blocker_ms = reader.number(0, kTimeMaxMs);
    return !reader.failed();
  }
  static bool admits(const Limit& limit, const State& state, TimeUs, int64_t units) {
    return units <= limit.count - state.used;
  }
  static void charge(const Limit& limit, State& state, TimeUs now, int64_t units) {
    const int64_t room = limit.count + kSlidingLogDebtMax - state.used;
    state.used += std::clamp(room, int64_t{0}, units);
    state.newest_ms = std::max(state.newest_ms, now / kUsPerMs);
  }
  // The newest entry left is not known; REFUND does not tell when it goes.
  static void refund(const Limit&, State& state, TimeUs, int64_t units) {
    state.used = std::max(state.used - units, int64_t{0});
  }
  static int64_t remaining(const Limit& limit, const State& state, TimeUs) {
    return limit.count - state.used;
  }
  static int64_t retry_us(const Limit& limit, const State& state, TimeUs now, int64_t units) {
    if (units > limit.count) return kNever;
    if (admits(limit, state, now, units)) return 0;
    return std::max(leaves_in_us(limit, state.blocker_ms, now), kRetryMinUs);
  }
  static int64_t reset_us(const Limit& limit, const State& state, TimeUs now) {
    return state.used == 0 ? 0 : leaves_in_us(limit, state.newest_ms, now);
  }

 private:
  static int64_t leaves_in_us(const Limit& limit, int64_t at_ms, TimeUs now) {
    const int64_t wait_ms = at_ms + limit.window_us / kUsPerMs - now / kUsPerMs;
    return std::max(wait_ms, int64_t{0}) * kUsPerMs;
  }
};

// Of tickets: the units in flight, when the last one lapses, and when the one that a refused
// request waits for does.
struct TicketSummary {
  struct State {
    int64_t used = 0;
    int64_t last_ms = 0;
    int64_t blocker_ms = 0;
  };
  static bool read(const Limit&, TimeUs, PackReader& reader, State& state) {
    state.used = reader.number(0, kUsedMax);
    state.last_ms = reader.number(0, kTimeMaxUs);
    state.blocker_ms = reader.number(0, kTimeMaxUs);
    return !reader.failed();
  }
  static bool admits(const Limit& limit, const State& state, TimeUs, int64_t units) {
    return units <= limit.count - state.used;
  }
  static void acquire(const Limit& limit, State& state, TimeUs now, int64_t units, int64_t ttl_us) {
    const int64_t life_ms = wait_ms(ttl_us == 0 ? limit.window_us : ttl_us);
    state.used += units;
    state.last_ms = std::max(state.last_ms, now / kUsPerMs + life_ms);
  }
  static int64_t remaining(const Limit& limit, const State& state, TimeUs) {
    return std::max(limit.count - state.used, int64_t{0});
  }
  static int64_t retry_us(const Limit& limit, const State& state, TimeUs now, int64_t units) {
    if (units > limit.count) return kNever;
    if (admits(limit, state, now, units)) return 0;
    return std::max(lapses_in_us(state.blocker_ms, now), kRetryMinUs);
  }
  static int64_t reset_us(const Limit&, const State& state, TimeUs now) {
    return state.used == 0 ? 0 : lapses_in_us(state.last_ms, now);
  }

 private:
  static int64_t lapses_in_us(int64_t at_ms, TimeUs now) {
    return std::max(at_ms - now / kUsPerMs, int64_t{0}) * kUsPerMs;
  }
};

}  // namespace toll::engine
