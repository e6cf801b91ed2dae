// The limiter algorithms as plain functions over plain states.
//
// Every algorithm is a struct of static functions with the same names, so that the shard can drive
// any of them the same way, several limits at once, all or nothing:
//
//   advance   brings a state to `now`; must be called before any of the others, at the same `now`
//   admits    would `units` more be within the limit?
//   charge    uses `units`, whether admitted or not (CHARGE runs into debt, to kDebtUnitsMax)
//   refund    gives `units` back, never above the limit
//   remaining what is left; negative when in debt
//   retry_us  the wait after which `units` can be admitted if nobody else comes; 0 if they can be
//             now; kNever if units > what the limit can ever hold
//   reset_us  the wait until nothing is used
//   idle      is this state the same as a fresh one? Then its memory may be taken back
//   carry     fits a state made under `old_limit` to `limit` after a reload, keeping what was used
//
// A zero-initialised state is a fresh one: nothing used. All arithmetic is in integers and exact to
// the end of the ranges in engine/limits.h. A clock that stands still or steps back never admits
// more. The Lua twins in lua/ decide the same from the same figures: gcra and token_bucket in
// microseconds, the window algorithms in whole milliseconds (their waits are whole ones too).
//
// REQUIRES, throughout: a limit made by make_limit() that limit_fault() has nothing against;
// 0 <= now <= kTimeMaxUs; 0 <= units <= kUnitsMax.
//
// No function here allocates, locks or reads a clock. Any thread, as long as the state is its own.
#pragma once

#include <cstdint>

#include "engine/policy.h"
#include "engine/types.h"

namespace toll::engine {

// Generic cell rate algorithm (ITU-T I.371, "virtual scheduling"): one theoretical arrival time.
// A unit costs window/count microseconds, kept exactly as whole microseconds and a fraction with
// the count as its denominator. tat = 0 is fresh. Debt ends at kDebtUnitsMax units or at
// kTimeMaxUs, whichever is nearer. No newest time is kept: while the clock is stepped back
// everything used weighs more by as much, and `remaining` may be negative.
struct Gcra {
  struct State {
    int64_t tat_us = 0;
    uint32_t tat_fraction = 0;  // numerator over limit.count, below it
  };
  static void advance(const Limit& limit, State& state, TimeUs now);
  static bool admits(const Limit& limit, const State& state, TimeUs now, int64_t units);
  static void charge(const Limit& limit, State& state, TimeUs now, int64_t units);
  static void refund(const Limit& limit, State& state, TimeUs now, int64_t units);
  static int64_t remaining(const Limit& limit, const State& state, TimeUs now);
  static int64_t retry_us(const Limit& limit, const State& state, TimeUs now, int64_t units);
  static int64_t reset_us(const Limit& limit, const State& state, TimeUs now);
  static bool idle(const Limit& limit, const State& state, TimeUs now);
  static void carry(const Limit& old_limit, const Limit& limit, State& state, TimeUs now);
};

// Token bucket: `burst` tokens at most, `count` more per window, counted as it is taught: tokens
// and the time of the last refill. Kept as what is missing from a full bucket, so that zero is
// fresh. Decides as gcra does on the same limit while the clock does not step back; when it does,
// nothing is refilled until the last refill's time is reached again. Waits are at most kTimeMaxUs.
struct TokenBucket {
  struct State {
    int64_t missing = 0;    // whole tokens short of full, rounded up
    uint64_t fraction = 0;  // of a token already refilled: numerator over window_us
    int64_t last_us = 0;    // time of the last refill
  };
  static void advance(const Limit& limit, State& state, TimeUs now);
  static bool admits(const Limit& limit, const State& state, TimeUs now, int64_t units);
  static void charge(const Limit& limit, State& state, TimeUs now, int64_t units);
  static void refund(const Limit& limit, State& state, TimeUs now, int64_t units);
  static int64_t remaining(const Limit& limit, const State& state, TimeUs now);
  static int64_t retry_us(const Limit& limit, const State& state, TimeUs now, int64_t units);
  static int64_t reset_us(const Limit& limit, const State& state, TimeUs now);
  static bool idle(const Limit& limit, const State& state, TimeUs now);
  static void carry(const Limit& old_limit, const Limit& limit, State& state, TimeUs now);
};

// Fixed window: a counter per window, windows laid from the epoch or by the calendar. A clock that
// steps back stays in the newest window seen. carry() moves what was used into the new window.
struct FixedWindow {
  struct State {
    int64_t start_ms = 0;  // of the window `used` belongs to
    int64_t used = 0;
  };
  static void advance(const Limit& limit, State& state, TimeUs now);
  static bool admits(const Limit& limit, const State& state, TimeUs now, int64_t units);
  static void charge(const Limit& limit, State& state, TimeUs now, int64_t units);
  static void refund(const Limit& limit, State& state, TimeUs now, int64_t units);
  static int64_t remaining(const Limit& limit, const State& state, TimeUs now);
  static int64_t retry_us(const Limit& limit, const State& state, TimeUs now, int64_t units);
  static int64_t reset_us(const Limit& limit, const State& state, TimeUs now);
  static bool idle(const Limit& limit, const State& state, TimeUs now);
  static void carry(const Limit& old_limit, const Limit& limit, State& state, TimeUs now);
};

// Sliding window counter (as Cloudflare's): the last window's count weighted by the part of it
// still in view, plus this window's. used = current + ceil(previous * (length - elapsed) / length),
// in whole milliseconds; `length` is the current window's, also where months differ. A refund takes
// from the current window first, then, unweighted, from the previous. A clock that steps back stays
// in the newest window seen. carry() to windows laid otherwise moves all that still counts into the
// new current window.
struct SlidingWindow {
  struct State {
    int64_t start_ms = 0;
    int64_t current = 0;
    int64_t previous = 0;
  };
  static void advance(const Limit& limit, State& state, TimeUs now);
  static bool admits(const Limit& limit, const State& state, TimeUs now, int64_t units);
  static void charge(const Limit& limit, State& state, TimeUs now, int64_t units);
  static void refund(const Limit& limit, State& state, TimeUs now, int64_t units);
  static int64_t remaining(const Limit& limit, const State& state, TimeUs now);
  static int64_t retry_us(const Limit& limit, const State& state, TimeUs now, int64_t units);
  static int64_t reset_us(const Limit& limit, const State& state, TimeUs now);
  static bool idle(const Limit& limit, const State& state, TimeUs now);
  static void carry(const Limit& old_limit, const Limit& limit, State& state, TimeUs now);
};

}  // namespace toll::engine
