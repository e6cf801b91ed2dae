// Where windows begin and end on the time line, in whole milliseconds since the Unix epoch, UTC.
// Pure functions; any thread. REQUIRES, throughout: limits of whole milliseconds, times >= 0.
#pragma once

#include <cstdint>

#include "engine/policy.h"

namespace toll::engine {

struct WindowBounds {
  int64_t start_ms = 0;
  int64_t end_ms = 0;  // one past the last
};

// The window that holds `now_ms`.
WindowBounds window_at(const Limit& limit, int64_t now_ms);

// The end of the window that starts at `start_ms`, which is the start of the one after it.
int64_t window_end(const Limit& limit, int64_t start_ms);

// Is `now_ms` before the end of the window that starts at `start_ms`? True for all times before its
// start as well. Cheap: the calendar is asked only in the last days of a long month.
bool before_window_end(const Limit& limit, int64_t start_ms, int64_t now_ms);

// Are the windows of both limits laid alike?
bool same_windows(const Limit& a, const Limit& b);

}  // namespace toll::engine
