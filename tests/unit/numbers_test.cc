#include "daemon/numbers.h"

#include <gtest/gtest.h>
#include <optional>
#include <string>

namespace toll::daemon {
namespace {

constexpr int64_t kUntouched = -77;

std::optional<int64_t> result(bool read, int64_t value) {
  if (read) return value;
  EXPECT_EQ(value, kUntouched) << "a refused number changes nothing";
  return std::nullopt;
}

std::optional<int64_t> units(std::string_view text) {
  int64_t value = kUntouched;
  const bool read = parse_units(text, value);
  return result(read, value);
}

std::optional<int64_t> ttl_us(std::string_view text) {
  int64_t value = kUntouched;
  const bool read = parse_ttl(text, value);
  return result(read, value);
}

std::optional<int64_t> integer(std::string_view text, int64_t min = INT64_MIN,
                               int64_t max = INT64_MAX) {
  int64_t value = kUntouched;
  const bool read = parse_integer(text, min, max, value);
  return result(read, value);
}

TEST(Numbers, UnitsAreOneToTwoToThe31Less1) {
  EXPECT_EQ(units("1"), 1);
  EXPECT_EQ(units("90"), 90);
  EXPECT_EQ(units("2147483647"), 2'147'483'647);
  for (const std::string_view text :
       {"0", "2147483648", "9999999999", "4294967297", "18446744073709551617",
        "99999999999999999999999999999999999999"}) {
    EXPECT_EQ(units(text), std::nullopt) << text;
  }
}

TEST(Numbers, UnitsHaveOneSpelling) {
  for (const std::string_view text : {"", "-1", "+1", " 1", "1 ", "01", "1.0", "1e3", "0x10", "1_0",
                                      "one", "1\n", "\xd9\xa1", "/", ":"}) {
    EXPECT_EQ(units(text), std::nullopt) << text;
  }
  EXPECT_EQ(units(std::string_view("1\0", 2)), std::nullopt);
}

TEST(Numbers, ATtlIsMillisecondsOrSaysItsUnit) {
  EXPECT_EQ(ttl_us("1"), 1'000);
  EXPECT_EQ(ttl_us("1500"), 1'500'000);
  EXPECT_EQ(ttl_us("2500us"), 2'500);
  EXPECT_EQ(ttl_us("20ms"), 20'000);
  EXPECT_EQ(ttl_us("5s"), 5'000'000);
  EXPECT_EQ(ttl_us("2m"), 120'000'000);
  EXPECT_EQ(ttl_us("1h"), 3'600'000'000);
  EXPECT_EQ(ttl_us("7d"), 604'800'000'000);
  for (const std::string_view text : {"", "s", "ms", "-5s", "+5s", "5 s", " 5s", "5S", "5sec",
                                      "1mo", "1w", "1.5s", "05s", "5s "}) {
    EXPECT_EQ(ttl_us(text), std::nullopt) << text;
  }
}

TEST(Numbers, ATtlIsOneMillisecondTo366Days) {
  EXPECT_EQ(ttl_us("1000us"), kTtlMinUs);
  EXPECT_EQ(ttl_us("366d"), kTtlMaxUs);
  EXPECT_EQ(ttl_us("31622400000"), kTtlMaxUs);
  EXPECT_EQ(ttl_us("31622400000000us"), kTtlMaxUs);
  for (const std::string_view text :
       {"0", "0s", "1us", "999us", "367d", "31622400001", "31622400000001us", "8785h",
        "9223372036854775807d", "9223372036854775808us", "106751991168d"}) {
    EXPECT_EQ(ttl_us(text), std::nullopt) << text;
  }
}

TEST(Numbers, IntegersAreThoseOf64BitsAndWithinTheirBounds) {
  EXPECT_EQ(integer("0"), 0);
  EXPECT_EQ(integer("-1"), -1);
  EXPECT_EQ(integer("9223372036854775807"), INT64_MAX);
  EXPECT_EQ(integer("-9223372036854775808"), INT64_MIN);
  for (const std::string_view text : {"", "-", "--1", "+1", "-0", "00", "01", "-01", " 1", "1 ",
                                      "1x", "9223372036854775808", "-9223372036854775809", "0x1"}) {
    EXPECT_EQ(integer(text), std::nullopt) << text;
  }
  EXPECT_EQ(integer("4", 4, 6), 4);
  EXPECT_EQ(integer("6", 4, 6), 6);
  EXPECT_EQ(integer("3", 4, 6), std::nullopt);
  EXPECT_EQ(integer("7", 4, 6), std::nullopt);
}

}  // namespace
}  // namespace toll::daemon
