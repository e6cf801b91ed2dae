#include "engine/money.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <chrono>

namespace toll::engine {
namespace {

constexpr size_t kDecimals = 9;

bool is_digit(char byte) {
  return byte >= '0' && byte <= '9';
}

bool all_digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, is_digit);
}

}  // namespace

std::optional<NanoDollars> parse_dollars(std::string_view text) {
  const size_t point = text.find('.');
  const std::string_view dollars = text.substr(0, point);
  std::string_view fraction;
  if (point != std::string_view::npos) {
    fraction = text.substr(point + 1);
    if (!all_digits(fraction) || fraction.size() > kDecimals) return std::nullopt;
  }
  if (!all_digits(dollars)) return std::nullopt;

  NanoDollars whole = 0;
  const auto [end, error] = std::from_chars(dollars.data(), dollars.data() + dollars.size(), whole);
  if (error != std::errc() || whole > kDollarsMax / kNanosPerDollar) return std::nullopt;
  NanoDollars nanos = 0;
  for (size_t i = 0; i < kDecimals; ++i) {
    nanos = nanos * 10 + (i < fraction.size() ? fraction[i] - '0' : 0);
  }
  if (nanos > kDollarsMax - whole * kNanosPerDollar) return std::nullopt;
  return whole * kNanosPerDollar + nanos;
}

std::string format_dollars(NanoDollars amount) {
  assert(amount >= 0);
  std::string text = std::to_string(amount / kNanosPerDollar);
  int64_t nanos = amount % kNanosPerDollar;
  if (nanos == 0) return text;
  std::array<char, kDecimals> digits{};
  for (size_t i = kDecimals; i-- > 0; nanos /= 10) digits[i] = static_cast<char>('0' + nanos % 10);
  std::string_view fraction(digits.data(), digits.size());
  fraction = fraction.substr(0, fraction.find_last_not_of('0') + 1);
  return text.append(".").append(fraction);
}

Month month_at(TimeUs now) {
  namespace chrono = std::chrono;
  const chrono::sys_time<chrono::microseconds> time{chrono::microseconds(now)};
  const chrono::year_month_day day(chrono::floor<chrono::days>(time));
  const Month month = 12 * static_cast<int>(day.year()) +
                      static_cast<Month>(static_cast<unsigned>(day.month())) - 1;
  return std::clamp(month, kMonthMin, kMonthMax);
}

int64_t month_end_ms(Month month) {
  namespace chrono = std::chrono;
  const Month next = month + 1;
  const chrono::year_month_day first(
      chrono::year(next / 12), chrono::month(static_cast<unsigned>(next % 12 + 1)), chrono::day(1));
  const auto since = chrono::sys_days(first).time_since_epoch();
  return chrono::duration_cast<chrono::milliseconds>(since).count();
}

std::string format_month(Month month, char separator) {
  std::string text = std::to_string(month / 12);
  text.push_back(separator);
  const int number = month % 12 + 1;
  text.push_back(static_cast<char>('0' + number / 10));
  text.push_back(static_cast<char>('0' + number % 10));
  return text;
}

std::optional<Month> parse_month(std::string_view text) {
  if (text.size() != 7 || text[4] != '-') return std::nullopt;
  if (!all_digits(text.substr(0, 4)) || !all_digits(text.substr(5))) return std::nullopt;
  int year = 0;
  for (const char digit : text.substr(0, 4)) year = year * 10 + (digit - '0');
  const int number = (text[5] - '0') * 10 + (text[6] - '0');
  if (number < 1 || number > 12) return std::nullopt;
  const Month month = 12 * year + number - 1;
  if (month < kMonthMin || month > kMonthMax) return std::nullopt;
  return month;
}

}  // namespace toll::engine
