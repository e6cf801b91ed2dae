#include "engine/calendar.h"

#include <cassert>
#include <chrono>

namespace toll::engine {
namespace {

constexpr int64_t kDayMs = 24LL * 3600 * 1000;
constexpr int64_t kShortestMonthMs = 28 * kDayMs;

int64_t month_start_ms(std::chrono::year_month month) {
  return std::chrono::sys_days{month / 1}.time_since_epoch().count() * kDayMs;
}

WindowBounds month_around(int64_t now_ms) {
  const std::chrono::sys_days day{std::chrono::days{now_ms / kDayMs}};
  const std::chrono::year_month_day date{day};
  const std::chrono::year_month month = date.year() / date.month();
  return {month_start_ms(month), month_start_ms(month + std::chrono::months{1})};
}

int64_t step_ms(const Limit& limit) {
  return limit.calendar == Calendar::kDay ? kDayMs : limit.window_us / kUsPerMs;
}

}  // namespace

WindowBounds window_at(const Limit& limit, int64_t now_ms) {
  assert(now_ms >= 0);
  if (limit.calendar == Calendar::kMonth) return month_around(now_ms);
  const int64_t length_ms = step_ms(limit);
  const int64_t start_ms = now_ms - now_ms % length_ms;
  return {start_ms, start_ms + length_ms};
}

int64_t window_end(const Limit& limit, int64_t start_ms) {
  if (limit.calendar == Calendar::kMonth) return month_around(start_ms).end_ms;
  return start_ms + step_ms(limit);
}

bool before_window_end(const Limit& limit, int64_t start_ms, int64_t now_ms) {
  if (limit.calendar != Calendar::kMonth) return now_ms - start_ms < step_ms(limit);
  return now_ms - start_ms < kShortestMonthMs || now_ms < month_around(start_ms).end_ms;
}

bool same_windows(const Limit& a, const Limit& b) {
  return a.calendar == b.calendar && a.window_us == b.window_us;
}

}  // namespace toll::engine
