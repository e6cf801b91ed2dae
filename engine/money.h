// Amounts of money: whole nano-dollars in 64 bits, exact to the end of that range, and the months
// that budgets run over.
//
// An amount is written as decimal dollars with at most 9 digits after the point. Nothing here goes
// through a floating-point number. Pure functions; any thread; nothing allocates but the
// formatting.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "engine/types.h"

namespace toll::engine {

// Never negative.
using NanoDollars = int64_t;

inline constexpr int64_t kNanosPerDollar = 1'000'000'000;
inline constexpr NanoDollars kDollarsMax = std::numeric_limits<int64_t>::max();

// In place of an amount, for a budget.
inline constexpr NanoDollars kNoBudget = -1;       // no limit
inline constexpr NanoDollars kDefaultBudget = -2;  // the configuration's

// "0", "12", "0.5", "9223372036.854775807". Digits and one point alone; at least one digit before
// the point and, if there is one, behind it. Nullopt: that is no amount, or too large a one.
std::optional<NanoDollars> parse_dollars(std::string_view text);

// The longest text there is: "9223372036.854775807".
inline constexpr size_t kDollarsTextMax = 20;

// Without trailing zeros: "0", "1", "0.1". REQUIRES: amount >= 0.
std::string format_dollars(NanoDollars amount);

// a + b, or kDollarsMax where that is more. REQUIRES: neither is negative.
constexpr NanoDollars add_capped(NanoDollars a, NanoDollars b) {
  return a > kDollarsMax - b ? kDollarsMax : a + b;
}

// A calendar month in UTC: 12 * year + month - 1.
using Month = int32_t;

inline constexpr Month kMonthMin = 12 * 1970;
inline constexpr Month kMonthMax = 12 * 2200 + 11;

// How long an account is kept past the end of its month.
inline constexpr int64_t kMonthKeptMs = 60LL * 24 * 3600 * 1000;

Month month_at(TimeUs now);
// When the month after it begins, in milliseconds since the Unix epoch.
int64_t month_end_ms(Month month);
// "2026-11", with that separator. parse_month() takes '-'.
std::string format_month(Month month, char separator);
std::optional<Month> parse_month(std::string_view text);

}  // namespace toll::engine
