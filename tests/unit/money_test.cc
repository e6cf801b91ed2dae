#include "engine/money.h"

#include <chrono>
#include <gtest/gtest.h>
#include <random>
#include <string>

namespace toll::engine {
namespace {

TimeUs at(int year, unsigned month, unsigned day, int64_t seconds = 0) {
  namespace chrono = std::chrono;
  const chrono::sys_days days(chrono::year(year) / chrono::month(month) / chrono::day(day));
  return chrono::duration_cast<chrono::microseconds>(days.time_since_epoch()).count() +
         seconds * 1'000'000;
}

TEST(Money, ReadsDollars) {
  EXPECT_EQ(parse_dollars("0"), 0);
  EXPECT_EQ(parse_dollars("0.1"), 100'000'000);
  EXPECT_EQ(parse_dollars("12.000000001"), 12'000'000'001);
  EXPECT_EQ(parse_dollars("007.50"), 7'500'000'000);
  EXPECT_EQ(parse_dollars("9223372036.854775807"), kDollarsMax);
}

TEST(Money, RefusesWhatIsNoAmount) {
  for (const char* text :
       {"", ".", ".5", "1.", "-1", "+1", "1e3", "1,5", " 1", "1 ", "0x1", "1.0000000001", "1..2",
        "9223372036.854775808", "9223372037", "99999999999999999999", "nan", "none"}) {
    EXPECT_EQ(parse_dollars(text), std::nullopt) << text;
  }
  EXPECT_EQ(parse_dollars(std::string_view("1\0", 2)), std::nullopt);
}

TEST(Money, WritesWithoutTrailingZeros) {
  EXPECT_EQ(format_dollars(0), "0");
  EXPECT_EQ(format_dollars(1), "0.000000001");
  EXPECT_EQ(format_dollars(100'000'000), "0.1");
  EXPECT_EQ(format_dollars(kNanosPerDollar * 20), "20");
  EXPECT_EQ(format_dollars(kDollarsMax), "9223372036.854775807");
  EXPECT_EQ(format_dollars(kDollarsMax).size(), kDollarsTextMax);
}

TEST(Money, WhatIsWrittenIsReadBack) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 10'000; ++i) {
    const NanoDollars amount = static_cast<int64_t>(random() >> (1 + random() % 63));
    EXPECT_EQ(parse_dollars(format_dollars(amount)), amount);
  }
}

TEST(Money, SumsEndAtTheMost) {
  EXPECT_EQ(add_capped(1, 2), 3);
  EXPECT_EQ(add_capped(kDollarsMax, 0), kDollarsMax);
  EXPECT_EQ(add_capped(kDollarsMax - 1, 2), kDollarsMax);
}

TEST(Money, MonthsAreUtc) {
  EXPECT_EQ(format_month(month_at(at(2026, 11, 30, 86'399)), ':'), "2026:11");
  EXPECT_EQ(format_month(month_at(at(2026, 12, 1)), '-'), "2026-12");
  EXPECT_EQ(format_month(month_at(at(2024, 2, 29)), '-'), "2024-02");
  EXPECT_EQ(month_end_ms(month_at(at(2024, 2, 29))) * 1000, at(2024, 3, 1));
  EXPECT_EQ(month_end_ms(month_at(at(2026, 12, 5))) * 1000, at(2027, 1, 1));
}

TEST(Money, ReadsMonths) {
  EXPECT_EQ(parse_month("2026-11"), month_at(at(2026, 11, 1)));
  for (const char* text : {"", "2026-13", "2026-00", "2026-1", "2026:11", "20a6-11", "1969-12",
                           "2201-01", "2026-11-01"}) {
    EXPECT_EQ(parse_month(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace toll::engine
