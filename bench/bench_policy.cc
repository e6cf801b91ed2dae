#include "bench/bench_policy.h"

#include <array>
#include <cassert>
#include <charconv>
#include <fmt/format.h>
#include <optional>
#include <utility>

namespace toll::bench {
namespace {

constexpr int64_t kCountMax = (int64_t{1} << 31) - 1;
constexpr int64_t kWindowMaxUs = 366LL * 24 * 3600 * 1'000'000;
constexpr std::array<std::pair<std::string_view, int64_t>, 5> kUnits = {{
    {"ms", 1'000},
    {"s", 1'000'000},
    {"m", 60'000'000},
    {"h", 3'600'000'000},
    {"d", 86'400'000'000},
}};

// The number that `text` begins with, which is taken off it.
std::optional<int64_t> take_number(std::string_view& text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.begin(), text.end(), number);
  if (error != std::errc() || number < 1) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.begin()));
  return number;
}

std::optional<int64_t> parse_window_us(std::string_view text) {
  const auto number = take_number(text);
  if (!number || *number > kWindowMaxUs) return std::nullopt;
  for (const auto& [unit, length_us] : kUnits) {
    if (unit == text && *number <= kWindowMaxUs / length_us) return *number * length_us;
  }
  return std::nullopt;
}

Limit known_limit(std::string_view text) {
  auto limit = parse_limit(text);
  assert(limit);
  return *std::move(limit);
}

}  // namespace

std::string_view to_string(Algorithm algorithm) {
  return algorithm == Algorithm::kGcra ? "gcra" : "sliding_log";
}

std::expected<Limit, std::string> parse_limit(std::string_view text) {
  std::string_view rest = text;
  const auto count = take_number(rest);
  if (count && *count <= kCountMax && rest.starts_with('/')) {
    if (const auto window_us = parse_window_us(rest.substr(1))) {
      return Limit{*count, *window_us, std::string(text)};
    }
  }
  return std::unexpected(fmt::format("'{}': expected count/window, such as 1000/1m", text));
}

Limit ample_limit(Algorithm algorithm) {
  return known_limit(algorithm == Algorithm::kGcra ? "10000000/1m" : "100000/1s");
}

Limit usual_limit() {
  return known_limit("100/1s");
}

Limit lasting_limit() {
  return known_limit("100000/365d");
}

Limit refusing_limit() {
  return known_limit("1/1h");
}

}  // namespace toll::bench
