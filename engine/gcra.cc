#include <algorithm>
#include <cassert>
#include <compare>

#include "engine/algorithms.h"
#include "engine/exact.h"

namespace toll::engine {
namespace {

// A time or a length of time: whole microseconds and a numerator over the limit's count, kept in
// [0, count), so that comparing member by member is comparing the values.
struct Exact {
  int64_t whole_us = 0;
  int64_t part = 0;

  auto operator<=>(const Exact&) const = default;
};

// Costs past this are no longer told apart. It is above any tolerance (kToleranceMaxUs), so such a
// request is refused, and low enough that sums of three times never overflow.
constexpr int64_t kCostMaxUs = 2 * kToleranceMaxUs;

Exact plus(Exact a, Exact b, int64_t count) {
  Exact sum{a.whole_us + b.whole_us, a.part + b.part};
  if (sum.part >= count) sum = {sum.whole_us + 1, sum.part - count};
  return sum;
}

Exact minus(Exact a, Exact b, int64_t count) {
  Exact difference{a.whole_us - b.whole_us, a.part - b.part};
  if (difference.part < 0) difference = {difference.whole_us - 1, difference.part + count};
  return difference;
}

// What `units` cost: units * window / count. One unit, by far the most frequent, costs no division.
Exact cost_of(const Limit& limit, int64_t units) {
  assert(limit.interval_us > 0 || limit.interval_fraction > 0);  // made by make_limit()
  if (units == 1) [[likely]]
    return {limit.interval_us, limit.interval_fraction};
  Exact cost;
  if (__builtin_mul_overflow(units, limit.interval_us, &cost.whole_us) ||
      cost.whole_us >= kCostMaxUs) {
    return {kCostMaxUs, 0};
  }
  if (limit.interval_fraction != 0) {
    const int64_t parts = units * limit.interval_fraction;  // two 31-bit figures
    cost.whole_us += parts / limit.count;
    cost.part = parts % limit.count;
  }
  return cost;
}

Exact tolerance_of(const Limit& limit) {
  return {limit.tolerance_us, limit.tolerance_fraction};
}

// When the next unit's turn begins: the theoretical arrival time, or now if that has passed.
Exact start_of(const Gcra::State& state, TimeUs now) {
  return state.tat_us < now ? Exact{now, 0} : Exact{state.tat_us, state.tat_fraction};
}

void store(Gcra::State& state, Exact tat) {
  state.tat_us = tat.whole_us;
  state.tat_fraction = static_cast<uint32_t>(tat.part);
}

// By how much `units` more would overrun what the limit tolerates at `now`; at most zero if they
// would not.
Exact overrun(const Limit& limit, const Gcra::State& state, TimeUs now, int64_t units) {
  const Exact end = plus(start_of(state, now), cost_of(limit, units), limit.count);
  return minus(end, plus({now, 0}, tolerance_of(limit), limit.count), limit.count);
}

// The latest time that debt may reach: kDebtUnitsMax units past the burst, and the end of the time
// line. But neither stops what the limit itself tolerates.
Exact debt_end(const Limit& limit, TimeUs now) {
  const Exact tolerated = plus({now, 0}, tolerance_of(limit), limit.count);
  const Exact debt = cost_of(limit, kDebtUnitsMax);
  return std::min(plus(tolerated, debt, limit.count), std::max(tolerated, Exact{kTimeMaxUs, 0}));
}

}  // namespace

void Gcra::advance(const Limit&, State&, TimeUs) {}

bool Gcra::admits(const Limit& limit, const State& state, TimeUs now, int64_t units) {
  return overrun(limit, state, now, units) <= Exact{};
}

void Gcra::charge(const Limit& limit, State& state, TimeUs now, int64_t units) {
  const Exact start = start_of(state, now);
  Exact tat = plus(start, cost_of(limit, units), limit.count);
  if (tat.whole_us - now >= limit.tolerance_us) [[unlikely]] {
    // Near or past the tolerance, where debt has its bounds. A clock that stepped back leaves a
    // time that is past them already: that stays, or the step would have given units back.
    tat = std::max(start, std::min(tat, debt_end(limit, now)));
  }
  store(state, tat);
}

void Gcra::refund(const Limit& limit, State& state, TimeUs now, int64_t units) {
  if (idle(limit, state, now)) return;
  const Exact tat = minus(start_of(state, now), cost_of(limit, units), limit.count);
  store(state, std::max(tat, Exact{now, 0}));
}

int64_t Gcra::remaining(const Limit& limit, const State& state, TimeUs now) {
  const Exact tolerated = plus({now, 0}, tolerance_of(limit), limit.count);
  const Exact left = minus(tolerated, start_of(state, now), limit.count);
  if (left.whole_us >= 0) [[likely]] {
    return mul_add_div_floor(left.whole_us, limit.count, left.part, limit.window_us);
  }
  const Exact owed = minus({0, 0}, left, limit.count);
  const int64_t debt = mul_add_div_ceil(owed.whole_us, limit.count, owed.part, limit.window_us);
  return -std::min(debt, kDebtUnitsMax);
}

int64_t Gcra::retry_us(const Limit& limit, const State& state, TimeUs now, int64_t units) {
  const Exact wait = overrun(limit, state, now, units);
  if (wait <= Exact{}) return 0;
  if (units > limit.burst) return kNever;
  return wait.whole_us + (wait.part > 0 ? 1 : 0);
}

int64_t Gcra::reset_us(const Limit&, const State& state, TimeUs now) {
  const Exact start = start_of(state, now);
  return start.whole_us - now + (start.part > 0 ? 1 : 0);
}

bool Gcra::idle(const Limit&, const State& state, TimeUs now) {
  return start_of(state, now) == Exact{now, 0};
}

void Gcra::carry(const Limit& old_limit, const Limit& limit, State& state, TimeUs now) {
  if (old_limit.count == limit.count && old_limit.window_us == limit.window_us) return;
  // A part of a unit counts as a whole one: against the client, but by less than a unit.
  const Exact start = start_of(state, now);
  const int64_t used =
      mul_add_div_ceil(start.whole_us - now, old_limit.count, start.part, old_limit.window_us);
  state = State{};
  if (used == 0) return;
  // Charged in two parts, because what a request may carry is bounded and burst plus debt is more.
  const int64_t in_one = std::min(used, kUnitsMax);
  charge(limit, state, now, in_one);
  if (used > in_one) charge(limit, state, now, std::min(used - in_one, kUnitsMax));
}

}  // namespace toll::engine
