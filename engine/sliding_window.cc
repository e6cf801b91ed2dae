#include <algorithm>
#include <cassert>

#include "engine/algorithms.h"
#include "engine/calendar.h"
#include "engine/exact.h"

// The weight of the previous window is measured on the current one: of a window of `length` with
// `elapsed` gone, (length - elapsed) / length of the previous one is still in view. Calendar months
// differ in length; then the current month's is the measure, so that the weight falls evenly from
// one to zero whatever came before.

namespace toll::engine {
namespace {

// The part of the previous window's units that still counts, rounded up. A clock that stepped back
// before the window has all of it in view.
int64_t weighted_previous(const Limit& limit, const SlidingWindow::State& state, TimeUs now) {
  if (state.previous == 0) return 0;
  const int64_t length = window_end(limit, state.start_ms) - state.start_ms;
  const int64_t elapsed = std::max(now / kUsPerMs - state.start_ms, int64_t{0});
  assert(elapsed < length);  // advance() was called
  return mul_div_ceil(state.previous, length - elapsed, length);
}

int64_t used_at(const Limit& limit, const SlidingWindow::State& state, TimeUs now) {
  return state.current + weighted_previous(limit, state, now);
}

// The first millisecond at which no more than `used_max` is used, if nobody else comes.
// REQUIRES: more than that is used now; used_max >= 0.
int64_t first_ms_with(const Limit& limit, const SlidingWindow::State& state, int64_t used_max) {
  const int64_t end_ms = window_end(limit, state.start_ms);
  const int64_t room = used_max - state.current;
  if (room >= 0) {
    // The previous window must fade to `room`: ceil(previous * in_view / length) <= room is the
    // same as in_view <= floor(room * length / previous).
    assert(state.previous > 0);
    return end_ms - mul_div_floor(room, end_ms - state.start_ms, state.previous);
  }
  // The current window alone is too much. It must become the previous one, and fade likewise.
  const int64_t next_end_ms = window_end(limit, end_ms);
  return next_end_ms - mul_div_floor(used_max, next_end_ms - end_ms, state.current);
}

}  // namespace

void SlidingWindow::advance(const Limit& limit, State& state, TimeUs now) {
  const int64_t now_ms = now / kUsPerMs;
  if (before_window_end(limit, state.start_ms, now_ms)) return;
  const int64_t start_ms = window_at(limit, now_ms).start_ms;
  const bool is_next = start_ms == window_end(limit, state.start_ms);
  state = {start_ms, 0, is_next ? state.current : 0};
}

bool SlidingWindow::admits(const Limit& limit, const State& state, TimeUs now, int64_t units) {
  return units <= limit.count - used_at(limit, state, now);
}

void SlidingWindow::charge(const Limit& limit, State& state, TimeUs now, int64_t units) {
  const int64_t left = limit.count + kDebtUnitsMax - used_at(limit, state, now);
  state.current += std::clamp(left, int64_t{0}, units);
}

void SlidingWindow::refund(const Limit&, State& state, TimeUs, int64_t units) {
  const int64_t of_current = std::min(units, state.current);
  state.current -= of_current;
  state.previous = std::max(state.previous - (units - of_current), int64_t{0});
}

int64_t SlidingWindow::remaining(const Limit& limit, const State& state, TimeUs now) {
  // Debt was bounded when it was made, but a clock that stepped back brings more of it into view,
  // and a reload may have lowered the count since.
  return std::max(limit.count - used_at(limit, state, now), -kDebtUnitsMax);
}

int64_t SlidingWindow::retry_us(const Limit& limit, const State& state, TimeUs now, int64_t units) {
  if (admits(limit, state, now, units)) return 0;
  if (units > limit.count) return kNever;
  const int64_t at_ms = first_ms_with(limit, state, limit.count - units);
  return (at_ms - now / kUsPerMs) * kUsPerMs;
}

int64_t SlidingWindow::reset_us(const Limit& limit, const State& state, TimeUs now) {
  if (idle(limit, state, now)) return 0;
  return (first_ms_with(limit, state, 0) - now / kUsPerMs) * kUsPerMs;
}

bool SlidingWindow::idle(const Limit&, const State& state, TimeUs) {
  return state.current == 0 && state.previous == 0;
}

void SlidingWindow::carry(const Limit& old_limit, const Limit& limit, State& state, TimeUs now) {
  advance(old_limit, state, now);
  if (same_windows(old_limit, limit)) return;
  // The previous window has no place among the new ones. What of it still counts moves, with the
  // rest, into the window that holds the newest time seen: nothing used is forgotten, though
  // it stays in view for longer than it would have.
  const int64_t newest_ms = std::max(now / kUsPerMs, state.start_ms);
  const int64_t used = used_at(old_limit, state, now);
  state = {window_at(limit, newest_ms).start_ms, used, 0};
}

}  // namespace toll::engine
