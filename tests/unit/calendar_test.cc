#include "engine/calendar.h"

#include <gtest/gtest.h>

#include "engine/limits.h"

namespace toll::engine {
namespace {

constexpr int64_t kSecondMs = 1'000;
constexpr int64_t kDayMs = 86'400 * kSecondMs;

const Limit kByDay = make_limit(1, 1, 0, Calendar::kDay);
const Limit kByMonth = make_limit(1, 1, 0, Calendar::kMonth);

void expect_window(const Limit& limit, int64_t now_ms, int64_t start_ms, int64_t end_ms) {
  const WindowBounds window = window_at(limit, now_ms);
  EXPECT_EQ(window.start_ms, start_ms) << now_ms;
  EXPECT_EQ(window.end_ms, end_ms) << now_ms;
  EXPECT_EQ(window_end(limit, start_ms), end_ms) << now_ms;
}

// Checks a month by its first and last millisecond and by the one before and after.
void expect_month(int64_t start_s, int days) {
  const int64_t start_ms = start_s * kSecondMs;
  const int64_t end_ms = start_ms + days * kDayMs;
  expect_window(kByMonth, start_ms, start_ms, end_ms);
  expect_window(kByMonth, end_ms - 1, start_ms, end_ms);
  EXPECT_EQ(window_at(kByMonth, end_ms).start_ms, end_ms);
  if (start_ms > 0) {
    EXPECT_EQ(window_at(kByMonth, start_ms - 1).end_ms, start_ms);
  }
  EXPECT_TRUE(before_window_end(kByMonth, start_ms, end_ms - 1));
  EXPECT_FALSE(before_window_end(kByMonth, start_ms, end_ms));
}

TEST(Calendar, StepsAreLaidFromTheEpoch) {
  const Limit limit = make_limit(1, 1, 10'000'000);
  expect_window(limit, 0, 0, 10'000);
  expect_window(limit, 9'999, 0, 10'000);
  expect_window(limit, 10'000, 10'000, 20'000);
  expect_window(limit, 10'001, 10'000, 20'000);
}

TEST(Calendar, TheShortestWindowIsOneMillisecond) {
  const Limit limit = make_limit(1, 1, kWindowMinUs);
  expect_window(limit, 0, 0, 1);
  expect_window(limit, 1'790'000'000'123, 1'790'000'000'123, 1'790'000'000'124);
}

TEST(Calendar, ADayBeginsAtMidnightUtc) {
  // 2024-02-29 12:00:00 UTC.
  const int64_t noon_ms = 1'709'208'000 * kSecondMs;
  expect_window(kByDay, noon_ms, noon_ms - kDayMs / 2, noon_ms + kDayMs / 2);
  expect_window(kByDay, noon_ms - kDayMs / 2, noon_ms - kDayMs / 2, noon_ms + kDayMs / 2);
  EXPECT_EQ(window_at(kByDay, noon_ms - kDayMs / 2 - 1).end_ms, noon_ms - kDayMs / 2);
}

TEST(Calendar, MonthsHaveTheirOwnLengths) {
  expect_month(0, 31);              // 1970-01
  expect_month(2'678'400, 28);      // 1970-02
  expect_month(1'704'067'200, 31);  // 2024-01
  expect_month(1'711'929'600, 30);  // 2024-04
  expect_month(1'733'011'200, 31);  // 2024-12
}

TEST(Calendar, FebruaryFollowsTheGregorianRule) {
  expect_month(65'750'400, 29);     // 1972-02
  expect_month(949'363'200, 29);    // 2000-02, divisible by 400
  expect_month(1'706'745'600, 29);  // 2024-02
  expect_month(1'738'368'000, 28);  // 2025-02
  expect_month(4'105'123'200, 28);  // 2100-02, divisible by 100 only
  expect_month(7'260'796'800, 28);  // 2200-02
}

TEST(Calendar, MonthsFollowEachOtherToTheEndOfTime) {
  // Walked from 1970 by the rule.
  int64_t start_ms = 0;
  for (int year = 1970; year < 2255; ++year) {
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    for (const int days : {31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}) {
      const int64_t end_ms = start_ms + days * kDayMs;
      ASSERT_EQ(window_at(kByMonth, start_ms).start_ms, start_ms) << year;
      ASSERT_EQ(window_at(kByMonth, end_ms - 1).end_ms, end_ms) << year;
      ASSERT_EQ(window_end(kByMonth, start_ms), end_ms) << year;
      start_ms = end_ms;
    }
  }
  EXPECT_EQ(start_ms, 8'993'721'600 * kSecondMs);  // 2255-01-01
  EXPECT_GT(kTimeMaxUs / kUsPerMs, start_ms);
  // 2255-06-05 23:47:34.740 UTC, the last millisecond there is.
  const int64_t last_ms = kTimeMaxUs / kUsPerMs;
  expect_window(kByMonth, last_ms, 9'006'768'000 * kSecondMs, 9'009'360'000 * kSecondMs);
}

TEST(Calendar, BeforeTheEndIncludesAllThatIsEarlier) {
  const Limit limit = make_limit(1, 1, 10'000'000);
  EXPECT_TRUE(before_window_end(limit, 50'000, 59'999));
  EXPECT_FALSE(before_window_end(limit, 50'000, 60'000));
  EXPECT_TRUE(before_window_end(limit, 50'000, 0));
  EXPECT_TRUE(before_window_end(kByMonth, 1'706'745'600'000, 0));
}

TEST(Calendar, WindowsAreTheSameWhateverIsCountedInThem) {
  EXPECT_TRUE(same_windows(make_limit(1, 1, 60'000'000), make_limit(9, 9, 60'000'000)));
  EXPECT_FALSE(same_windows(make_limit(1, 1, 60'000'000), make_limit(1, 1, 61'000'000)));
  const Limit a_day_long = make_limit(1, 1, kDayMs * kUsPerMs);
  const Limit month_long = make_limit(1, 1, 31 * kDayMs * kUsPerMs);
  EXPECT_FALSE(same_windows(kByMonth, month_long));
  EXPECT_FALSE(same_windows(kByMonth, a_day_long));
}

}  // namespace
}  // namespace toll::engine
