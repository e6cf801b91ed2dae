#include <algorithm>

#include "engine/algorithms.h"
#include "engine/calendar.h"

namespace toll::engine {
namespace {

// The wait from `now` to the end of the state's window, in whole milliseconds. With a clock that
// stepped back this is longer than the window.
int64_t window_wait_us(const Limit& limit, const FixedWindow::State& state, TimeUs now) {
  return (window_end(limit, state.start_ms) - now / kUsPerMs) * kUsPerMs;
}

}  // namespace

void FixedWindow::advance(const Limit& limit, State& state, TimeUs now) {
  const int64_t now_ms = now / kUsPerMs;
  if (before_window_end(limit, state.start_ms, now_ms)) return;
  state = {window_at(limit, now_ms).start_ms, 0};
}

bool FixedWindow::admits(const Limit& limit, const State& state, TimeUs, int64_t units) {
  return units <= limit.count - state.used;
}

void FixedWindow::charge(const Limit& limit, State& state, TimeUs, int64_t units) {
  state.used = std::min(state.used + units, limit.count + kDebtUnitsMax);
}

void FixedWindow::refund(const Limit&, State& state, TimeUs, int64_t units) {
  state.used = std::max(state.used - units, int64_t{0});
}

int64_t FixedWindow::remaining(const Limit& limit, const State& state, TimeUs) {
  return limit.count - state.used;
}

int64_t FixedWindow::retry_us(const Limit& limit, const State& state, TimeUs now, int64_t units) {
  if (admits(limit, state, now, units)) return 0;
  return units > limit.count ? kNever : window_wait_us(limit, state, now);
}

int64_t FixedWindow::reset_us(const Limit& limit, const State& state, TimeUs now) {
  return state.used == 0 ? 0 : window_wait_us(limit, state, now);
}

bool FixedWindow::idle(const Limit&, const State& state, TimeUs) {
  return state.used == 0;
}

void FixedWindow::carry(const Limit& old_limit, const Limit& limit, State& state, TimeUs now) {
  advance(old_limit, state, now);
  if (!same_windows(old_limit, limit)) {
    // What was used moves into the new window that holds the newest time this state has seen.
    const int64_t newest_ms = std::max(now / kUsPerMs, state.start_ms);
    state.start_ms = window_at(limit, newest_ms).start_ms;
  }
  charge(limit, state, now, 0);  // a smaller count allows less debt
}

}  // namespace toll::engine
