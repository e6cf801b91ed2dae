#include <algorithm>
#include <cassert>

#include "engine/algorithms.h"
#include "engine/exact.h"

// What is missing from a full bucket is exactly `missing - fraction / window_us` tokens, with the
// fraction in [0, window_us) and zero when nothing is missing. A microsecond refills count /
// window_us.

namespace toll::engine {
namespace {

// The wait from `now` until `tokens` of the missing ones have come back, at most kTimeMaxUs: debt
// on a slow limit may take longer than the time line is. REQUIRES: tokens > 0.
int64_t refill_wait_us(const Limit& limit, const TokenBucket::State& state, TimeUs now,
                       int64_t tokens) {
  assert(tokens > 0 && state.fraction < static_cast<uint64_t>(limit.window_us));
  const int64_t of_first = limit.window_us - static_cast<int64_t>(state.fraction);
  const int64_t refill = mul_add_div_ceil(tokens - 1, limit.window_us, of_first, limit.count);
  // A clock that stepped back must first reach the last refill again.
  const int64_t behind = std::max(state.last_us - now, int64_t{0});
  return refill >= kTimeMaxUs - behind ? kTimeMaxUs : behind + refill;
}

}  // namespace

void TokenBucket::advance(const Limit& limit, State& state, TimeUs now) {
  if (now <= state.last_us) return;
  const int64_t elapsed = now - state.last_us;
  state.last_us = now;
  if (state.missing == 0) return;

  const int64_t fraction = static_cast<int64_t>(state.fraction);
  const int64_t refilled = mul_add_div_floor(elapsed, limit.count, fraction, limit.window_us);
  if (refilled >= state.missing) {
    state.missing = 0;
    state.fraction = 0;
    return;
  }
  // The rest of that division; modulo 2^64 is enough, since it is below window_us.
  state.fraction += static_cast<uint64_t>(elapsed) * static_cast<uint64_t>(limit.count) -
                    static_cast<uint64_t>(refilled) * static_cast<uint64_t>(limit.window_us);
  state.missing -= refilled;
}

bool TokenBucket::admits(const Limit& limit, const State& state, TimeUs, int64_t units) {
  return units <= limit.burst - state.missing;
}

void TokenBucket::charge(const Limit& limit, State& state, TimeUs, int64_t units) {
  state.missing += units;
  if (state.missing > limit.burst + kDebtUnitsMax) {
    state.missing = limit.burst + kDebtUnitsMax;
    state.fraction = 0;
  }
}

void TokenBucket::refund(const Limit&, State& state, TimeUs, int64_t units) {
  if (units < state.missing) {
    state.missing -= units;
  } else {
    state.missing = 0;
    state.fraction = 0;
  }
}

int64_t TokenBucket::remaining(const Limit& limit, const State& state, TimeUs) {
  return limit.burst - state.missing;
}

int64_t TokenBucket::retry_us(const Limit& limit, const State& state, TimeUs now, int64_t units) {
  if (admits(limit, state, now, units)) return 0;
  if (units > limit.burst) return kNever;
  return refill_wait_us(limit, state, now, state.missing + units - limit.burst);
}

int64_t TokenBucket::reset_us(const Limit& limit, const State& state, TimeUs now) {
  return state.missing == 0 ? 0 : refill_wait_us(limit, state, now, state.missing);
}

bool TokenBucket::idle(const Limit&, const State& state, TimeUs) {
  return state.missing == 0;
}

void TokenBucket::carry(const Limit& old_limit, const Limit& limit, State& state, TimeUs now) {
  advance(old_limit, state, now);
  if (old_limit.count != limit.count || old_limit.window_us != limit.window_us) {
    // A token that was partly refilled counts as missing: against the client, by less than a token.
    state.fraction = 0;
  }
  charge(limit, state, now, 0);  // a smaller burst allows less debt
}

}  // namespace toll::engine
