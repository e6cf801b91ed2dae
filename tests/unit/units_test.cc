// Durations, sizes and limits as text: what is read, what is refused, and that print and read
// agree.
#include "config/units.h"

#include <gtest/gtest.h>
#include <random>
#include <string>

#include "engine/limits.h"

namespace toll::config {
namespace {

using engine::Calendar;

constexpr int64_t kSecondUs = 1'000'000;
constexpr int64_t kDayUs = 86'400 * kSecondUs;

TEST(Duration, EveryUnitIsReadInMicroseconds) {
  EXPECT_EQ(parse_duration_us("250us"), 250);
  EXPECT_EQ(parse_duration_us("20ms"), 20'000);
  EXPECT_EQ(parse_duration_us("5s"), 5 * kSecondUs);
  EXPECT_EQ(parse_duration_us("2m"), 120 * kSecondUs);
  EXPECT_EQ(parse_duration_us("1h"), 3'600 * kSecondUs);
  EXPECT_EQ(parse_duration_us("7d"), 7 * kDayUs);
  EXPECT_EQ(parse_duration_us("1mo"), 30 * kDayUs);
  EXPECT_EQ(parse_duration_us("0s"), 0);
  EXPECT_EQ(parse_duration_us("007s"), 7 * kSecondUs);
  EXPECT_EQ(parse_duration_us("9223372036854775807us"), INT64_MAX);
}

TEST(Duration, WhatDoesNotFitIsRefusedAndNotClipped) {
  for (const char* text : {"9223372036854775808us", "9223372036854775807ms", "106751992d",
                           "99999999999999999999999999999s", "9223372036854775807mo"}) {
    const auto duration = parse_duration_us(text);
    ASSERT_FALSE(duration) << text;
    EXPECT_EQ(duration.error(), "a duration that fits in 63 bits of microseconds") << text;
  }
  EXPECT_EQ(parse_duration_us("106751991d"), 106'751'991 * kDayUs);
}

TEST(Duration, NonsenseIsRefusedWithWhatIsExpected) {
  for (const char* text : {"", "5", "s", "-5s", "+5s", "5 s", " 5s", "5s ", "5S", "5sec", "1.5s",
                           "1h30m", "0x5s", "5mos", "5min"}) {
    const auto duration = parse_duration_us(text);
    ASSERT_FALSE(duration) << text;
    EXPECT_EQ(duration.error(), "a duration: a whole number and one of us, ms, s, m, h, d, mo");
  }
  EXPECT_FALSE(parse_duration_us(std::string_view("5s\0", 3)));
}

TEST(Duration, IsPrintedInTheLargestUnitThatDividesIt) {
  EXPECT_EQ(format_duration(0), "0us");
  EXPECT_EQ(format_duration(1'500), "1500us");
  EXPECT_EQ(format_duration(50'000), "50ms");
  EXPECT_EQ(format_duration(90 * kSecondUs), "90s");
  EXPECT_EQ(format_duration(60 * kSecondUs), "1m");
  EXPECT_EQ(format_duration(kDayUs), "1d");
  EXPECT_EQ(format_duration(366 * kDayUs), "366d");
}

TEST(Size, PowersOf1024AndOf1000AreToldApart) {
  EXPECT_EQ(parse_size_bytes("512B"), 512);
  EXPECT_EQ(parse_size_bytes("64KiB"), 65'536);
  EXPECT_EQ(parse_size_bytes("64KB"), 64'000);
  EXPECT_EQ(parse_size_bytes("10MB"), 10'000'000);
  EXPECT_EQ(parse_size_bytes("8MiB"), int64_t{8} << 20);
  EXPECT_EQ(parse_size_bytes("1GiB"), int64_t{1} << 30);
  EXPECT_EQ(parse_size_bytes("2GB"), 2'000'000'000);
  EXPECT_EQ(parse_size_bytes("1TiB"), int64_t{1} << 40);
  EXPECT_EQ(parse_size_bytes("8388607TiB"), int64_t{8'388'607} << 40);
}

TEST(Size, NonsenseAndOverflowAreRefused) {
  for (const char* text : {"", "64", "KiB", "64kib", "64K", "-1KiB", "1.5MiB", "64 KiB"}) {
    ASSERT_FALSE(parse_size_bytes(text)) << text;
    EXPECT_TRUE(parse_size_bytes(text).error().starts_with("a size: a whole number")) << text;
  }
  EXPECT_EQ(parse_size_bytes("8388608TiB").error(), "a size that fits in 63 bits of bytes");
  EXPECT_EQ(parse_size_bytes("9223372036854775808B").error(),
            "a size that fits in 63 bits of bytes");
}

TEST(Size, IsPrintedInTheLargestUnitThatDividesIt) {
  EXPECT_EQ(format_size(0), "0B");
  EXPECT_EQ(format_size(1'023), "1023B");
  EXPECT_EQ(format_size(65'536), "64KiB");
  EXPECT_EQ(format_size(10'000'000), "10MB");
  EXPECT_EQ(format_size(int64_t{1} << 30), "1GiB");
}

TEST(Limit, CountAndWindowAreRead) {
  const auto limit = parse_limit("120/60s");
  ASSERT_TRUE(limit);
  EXPECT_EQ(*limit, engine::make_limit(120, 0, 60 * kSecondUs));
  EXPECT_EQ(limit->burst, 120);
  EXPECT_EQ(parse_limit("1/1ms")->window_us, 1'000);
  EXPECT_EQ(parse_limit("1/366d")->window_us, engine::kWindowMaxUs);
  EXPECT_EQ(parse_limit("2147483647/1s")->count, engine::kLimitCountMax);
}

TEST(Limit, DayAndMonthAreTheCalendarsAndOneDayIsNot) {
  EXPECT_EQ(parse_limit("1000/day")->calendar, Calendar::kDay);
  EXPECT_EQ(parse_limit("5/month")->calendar, Calendar::kMonth);
  EXPECT_EQ(*parse_limit("10/1mo"), *parse_limit("10/month"));
  EXPECT_EQ(parse_limit("1000/1d")->calendar, Calendar::kNone);
  EXPECT_EQ(parse_limit("1000/30d")->calendar, Calendar::kNone);
}

struct Refused {
  const char* text;
  const char* expected;
};

TEST(Limit, EachKindOfNonsenseIsToldWhatIsExpected) {
  constexpr const char* kForm =
      "a limit as count/window, the window a duration, \"day\" or \"month\"";
  constexpr const char* kCount = "a limit with a count from 1 to 2147483647";
  constexpr const char* kWindow = "a limit with a window from 1ms to 366d";
  constexpr const char* kMonth =
      "a limit per one calendar month (\"month\" or \"1mo\") or over a fixed length of days";
  const Refused table[] = {
      {"", kForm},
      {"100", kForm},
      {"/1s", kForm},
      {"100/", kForm},
      {"100/s", kForm},
      {"100/second", kForm},
      {"100/1s/1s", kForm},
      {"-1/1s", kForm},
      {"1k/1s", kForm},
      {"100 / 1s", kForm},
      {"100/1S", kForm},
      {"100/Day", kForm},
      {"0/1s", kCount},
      {"2147483648/1s", kCount},
      {"99999999999999999999/1s", kCount},
      {"1/0s", kWindow},
      {"1/999us", kWindow},
      {"1/367d", kWindow},
      {"1/99999999999999999999d", kWindow},
      {"1/9223372036854775807d", kWindow},
      {"1/2mo", kMonth},
      {"1/0mo", kMonth},
      {"1/mo", kMonth},
  };
  for (const auto& [text, expected] : table) {
    const auto limit = parse_limit(text);
    ASSERT_FALSE(limit) << text;
    EXPECT_EQ(limit.error(), expected) << text;
  }
}

TEST(Units, WhateverIsPrintedIsReadBackTheSame) {
  constexpr uint64_t kSeed = 20'250'101;
  SCOPED_TRACE(kSeed);
  std::mt19937_64 random(kSeed);
  const auto below = [&random](int64_t end) {
    const int64_t figure = static_cast<int64_t>(random() >> 1) % end;
    return figure >> (random() % 40);  // small ones as often as large ones
  };
  for (int round = 0; round < 20'000; ++round) {
    const int64_t figure = below(INT64_MAX);
    ASSERT_EQ(parse_duration_us(format_duration(figure)), figure);
    ASSERT_EQ(parse_size_bytes(format_size(figure)), figure);
    const auto calendar = static_cast<Calendar>(random() % 3);
    const int64_t window_us = engine::kWindowMinUs + below(engine::kWindowMaxUs - 1'000);
    const auto limit =
        engine::make_limit(1 + below(engine::kLimitCountMax), 0, window_us, calendar);
    ASSERT_EQ(parse_limit(format_limit(limit)), limit) << format_limit(limit);
  }
}

}  // namespace
}  // namespace toll::config
