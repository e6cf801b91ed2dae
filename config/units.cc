#include "config/units.h"

#include <array>
#include <cassert>
#include <charconv>
#include <fmt/format.h>
#include <span>

#include "engine/limits.h"

namespace toll::config {
namespace {

struct Unit {
  std::string_view name;
  int64_t factor;
};

constexpr int64_t kSecondUs = 1'000'000;
constexpr int64_t kDayUs = 86'400 * kSecondUs;

// Smallest first: a figure is printed in the last unit that divides it.
constexpr std::array kDurationUnits = {
    Unit{"us", 1},
    Unit{"ms", 1'000},
    Unit{"s", kSecondUs},
    Unit{"m", 60 * kSecondUs},
    Unit{"h", 3'600 * kSecondUs},
    Unit{"d", kDayUs},
};
constexpr Unit kMonth = {"mo", 30 * kDayUs};

constexpr std::array kSizeUnits = {
    Unit{"B", 1},
    Unit{"KB", 1'000},
    Unit{"MB", 1'000'000},
    Unit{"GB", 1'000'000'000},
    Unit{"TB", 1'000'000'000'000},
    Unit{"KiB", int64_t{1} << 10},
    Unit{"MiB", int64_t{1} << 20},
    Unit{"GiB", int64_t{1} << 30},
    Unit{"TiB", int64_t{1} << 40},
};

constexpr Expected kCountExpected = "a whole number below 2^63";
constexpr Expected kDurationExpected =
    "a duration: a whole number and one of us, ms, s, m, h, d, mo";
constexpr Expected kDurationFits = "a duration that fits in 63 bits of microseconds";
constexpr Expected kSizeExpected = "a size: a whole number and one of B, KB, MB, GB, KiB, MiB, GiB";
constexpr Expected kSizeFits = "a size that fits in 63 bits of bytes";
constexpr Expected kLimitExpected =
    "a limit as count/window, the window a duration, \"day\" or \"month\"";
constexpr Expected kLimitCountExpected = "a limit with a count from 1 to 2147483647";
constexpr Expected kLimitWindowExpected = "a limit with a window from 1ms to 366d";
constexpr Expected kLimitMonthExpected =
    "a limit per one calendar month (\"month\" or \"1mo\") or over a fixed length of days";
static_assert(engine::kLimitCountMax == 2'147'483'647 && engine::kWindowMinUs == 1'000 &&
              engine::kWindowMaxUs == 366 * kDayUs);

struct Scaled {
  int64_t number;
  std::string_view unit;
};

// Splits "64KiB" after its digits. Nullopt: no digits, or more than 63 bits of them.
std::expected<Scaled, Expected> split(std::string_view text, Expected expected, Expected fits) {
  size_t digits = text.find_first_not_of("0123456789");
  if (digits == 0 || text.empty()) return std::unexpected(expected);
  if (digits == std::string_view::npos) digits = text.size();
  const auto number = parse_count(text.substr(0, digits));
  if (!number) return std::unexpected(fits);
  return Scaled{*number, text.substr(digits)};
}

std::expected<int64_t, Expected> scale(const Scaled& scaled, std::span<const Unit> units,
                                       Expected expected, Expected fits) {
  for (const Unit& unit : units) {
    if (unit.name != scaled.unit) continue;
    int64_t product = 0;
    if (__builtin_mul_overflow(scaled.number, unit.factor, &product)) return std::unexpected(fits);
    return product;
  }
  return std::unexpected(expected);
}

std::string format(int64_t figure, std::span<const Unit> units) {
  assert(figure >= 0);
  const Unit* best = &units.front();
  for (const Unit& unit : units) {
    if (figure != 0 && figure % unit.factor == 0 && unit.factor > best->factor) best = &unit;
  }
  return fmt::format("{}{}", figure / best->factor, best->name);
}

struct Window {
  int64_t length_us;
  engine::Calendar calendar;
};

std::expected<Window, Expected> parse_window(std::string_view text) {
  if (text == "day") return Window{kDayUs, engine::Calendar::kDay};
  if (text == "month") return Window{31 * kDayUs, engine::Calendar::kMonth};
  if (text.ends_with(kMonth.name)) {
    if (text != "1mo") return std::unexpected(kLimitMonthExpected);
    return Window{31 * kDayUs, engine::Calendar::kMonth};
  }
  const auto parts = split(text, kLimitExpected, kLimitWindowExpected);
  if (!parts) return std::unexpected(parts.error());
  const auto length_us = scale(*parts, kDurationUnits, kLimitExpected, kLimitWindowExpected);
  if (!length_us) return std::unexpected(length_us.error());
  if (*length_us < engine::kWindowMinUs || *length_us > engine::kWindowMaxUs) {
    return std::unexpected(kLimitWindowExpected);
  }
  return Window{*length_us, engine::Calendar::kNone};
}

}  // namespace

std::expected<int64_t, Expected> parse_count(std::string_view text) {
  int64_t number = 0;
  const char* end = text.data() + text.size();
  if (text.empty() || text.front() < '0' || text.front() > '9') {
    return std::unexpected(kCountExpected);
  }
  const auto [stopped, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || stopped != end) return std::unexpected(kCountExpected);
  return number;
}

std::expected<int64_t, Expected> parse_duration_us(std::string_view text) {
  const auto parts = split(text, kDurationExpected, kDurationFits);
  if (!parts) return std::unexpected(parts.error());
  if (parts->unit == kMonth.name)
    return scale(*parts, {&kMonth, 1}, kDurationExpected, kDurationFits);
  return scale(*parts, kDurationUnits, kDurationExpected, kDurationFits);
}

std::string format_duration(int64_t duration_us) {
  return format(duration_us, kDurationUnits);
}

std::expected<int64_t, Expected> parse_size_bytes(std::string_view text) {
  const auto parts = split(text, kSizeExpected, kSizeFits);
  if (!parts) return std::unexpected(parts.error());
  return scale(*parts, kSizeUnits, kSizeExpected, kSizeFits);
}

std::string format_size(int64_t size_bytes) {
  return format(size_bytes, kSizeUnits);
}

std::expected<engine::Limit, Expected> parse_limit(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::unexpected(kLimitExpected);
  const auto parts = split(text.substr(0, slash), kLimitExpected, kLimitCountExpected);
  if (!parts) return std::unexpected(parts.error());
  if (!parts->unit.empty()) return std::unexpected(kLimitExpected);
  if (parts->number < 1 || parts->number > engine::kLimitCountMax) {
    return std::unexpected(kLimitCountExpected);
  }
  const auto window = parse_window(text.substr(slash + 1));
  if (!window) return std::unexpected(window.error());
  return engine::make_limit(parts->number, 0, window->length_us, window->calendar);
}

std::string format_limit(const engine::Limit& limit) {
  switch (limit.calendar) {
    case engine::Calendar::kDay:
      return fmt::format("{}/day", limit.count);
    case engine::Calendar::kMonth:
      return fmt::format("{}/month", limit.count);
    case engine::Calendar::kNone:
      break;
  }
  return fmt::format("{}/{}", limit.count, format_duration(limit.window_us));
}

}  // namespace toll::config
