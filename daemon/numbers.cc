#include "daemon/numbers.h"

#include <charconv>
#include <cstddef>

#include "engine/limits.h"

namespace toll::daemon {

namespace {

struct TimeUnit {
  std::string_view suffix;
  int64_t us;
};

constexpr TimeUnit kTimeUnits[] = {
    {"", 1'000},       {"us", 1},           {"ms", 1'000},         {"s", 1'000'000},
    {"m", 60'000'000}, {"h", 3600'000'000}, {"d", 86'400'000'000},
};

constexpr size_t kUnitsDigitsMax = 10;  // 2147483647; more digits cannot be units

constexpr bool is_digit(char byte) {
  return byte >= '0' && byte <= '9';
}

}  // namespace

bool parse_units(std::string_view text, int64_t& units) {
  if (text.empty() || text.size() > kUnitsDigitsMax || text[0] == '0') return false;
  int64_t read = 0;
  for (const char byte : text) {
    if (!is_digit(byte)) return false;
    read = read * 10 + (byte - '0');
  }
  if (read > engine::kUnitsMax) return false;
  units = read;
  return true;
}

bool parse_ttl(std::string_view text, int64_t& ttl_us) {
  size_t digits = 0;
  while (digits < text.size() && is_digit(text[digits])) ++digits;
  int64_t count = 0;
  if (!parse_integer(text.substr(0, digits), 1, kTtlMaxUs, count)) return false;
  const std::string_view suffix = text.substr(digits);
  for (const TimeUnit& unit : kTimeUnits) {
    if (suffix != unit.suffix) continue;
    if (count > kTtlMaxUs / unit.us || count * unit.us < kTtlMinUs) return false;
    ttl_us = count * unit.us;
    return true;
  }
  return false;
}

bool parse_integer(std::string_view text, int64_t min, int64_t max, int64_t& value) {
  const std::string_view digits = text.substr(text.starts_with('-') ? 1 : 0);
  if (digits.empty() || (digits[0] == '0' && text.size() > 1)) return false;
  int64_t read = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, read);
  if (error != std::errc{} || stop != end || read < min || read > max) return false;
  value = read;
  return true;
}

}  // namespace toll::daemon
