#include "config/values.h"

#include <array>
#include <charconv>
#include <initializer_list>

#include "config/host.h"
#include "config/limits.h"
#include "config/report.h"

namespace toll::config {
namespace {

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::optional<double> parse_real(std::string_view text) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || stopped != end) return std::nullopt;
  return number;
}

std::optional<bool> parse_boolean(std::string_view text) {
  constexpr std::array<std::string_view, 6> kYes = {"1", "t", "true", "y", "yes", "on"};
  constexpr std::array<std::string_view, 6> kNo = {"0", "f", "false", "n", "no", "off"};
  const std::string lower = to_lower(text);
  if (contains(kYes, lower)) return true;
  if (contains(kNo, lower)) return false;
  return std::nullopt;
}

Value value_from_list(std::string_view text) {
  Value value;
  value.kind = Kind::kList;
  while (!trim(text).empty()) {
    const size_t length = std::min(text.find(','), text.size());
    value.items.push_back(value_from_text(trim(text.substr(0, length)), Kind::kText));
    text.remove_prefix(std::min(length + 1, text.size()));
  }
  return value;
}

}  // namespace

Objected take_int64(const Value& value, int64_t min, int64_t max, int64_t& out) {
  if (value.kind != Kind::kInteger || value.integer < min || value.integer > max) {
    return objection(value);
  }
  out = value.integer;
  return std::nullopt;
}

Objected take_duration(const Value& value, int64_t min_us, int64_t max_us, int64_t& out_us) {
  if (value.kind != Kind::kText) return objection(value);
  const auto duration_us = parse_duration_us(value.text);
  if (!duration_us) return objection(value, duration_us.error());
  if (*duration_us < min_us || *duration_us > max_us) return objection(value);
  out_us = *duration_us;
  return std::nullopt;
}

Objected take_size(const Value& value, int64_t min_bytes, int64_t max_bytes, int64_t& out_bytes) {
  if (value.kind != Kind::kText) return objection(value);
  const auto size_bytes = parse_size_bytes(value.text);
  if (!size_bytes) return objection(value, size_bytes.error());
  if (*size_bytes < min_bytes || *size_bytes > max_bytes) return objection(value);
  out_bytes = *size_bytes;
  return std::nullopt;
}

Objected take_boolean(const Value& value, bool& out) {
  if (value.kind != Kind::kBoolean) return objection(value);
  out = value.boolean;
  return std::nullopt;
}

Objected take_real(const Value& value, double min, double max, double& out) {
  if (value.kind != Kind::kInteger && value.kind != Kind::kReal) return objection(value);
  const double number = value.kind == Kind::kReal ? value.real : static_cast<double>(value.integer);
  if (!(number >= min && number <= max)) return objection(value);  // no NaN either
  out = number;
  return std::nullopt;
}

Objected take_text(const Value& value, size_t bytes_max, std::string& out) {
  if (value.kind != Kind::kText || value.text.empty() || value.text.size() > bytes_max ||
      !is_plain_text(value.text)) {
    return objection(value);
  }
  out = value.text;
  return std::nullopt;
}

Objected take_group(const Value& value, std::string& out) {
  if (value.kind == Kind::kText && value.text.empty()) {
    out.clear();
    return std::nullopt;
  }
  std::string name;
  if (const Objected objected = take_text(value, kGroupNameMax, name)) return objected;
  if (!group_id(name)) return objection(value);
  out = std::move(name);
  return std::nullopt;
}

Objected take_file_mode(const Value& value, uint32_t& out) {
  constexpr size_t kDigitsMax = 4;
  constexpr uint32_t kPermissions = 0777;
  if (value.kind != Kind::kText || value.text.size() > kDigitsMax) return objection(value);
  uint32_t mode = 0;
  const char* end = value.text.data() + value.text.size();
  const auto [stopped, error] = std::from_chars(value.text.data(), end, mode, 8);
  if (error != std::errc{} || stopped != end || mode > kPermissions) return objection(value);
  out = mode;
  return std::nullopt;
}

Value value_from_text(std::string_view text, Kind kind) {
  if (kind == Kind::kList) return value_from_list(text);
  Value value;
  value.text = text;
  if (const auto number = parse_count(text);
      number && (kind == Kind::kInteger || kind == Kind::kReal)) {
    value.kind = Kind::kInteger;
    value.integer = *number;
  } else if (const auto real = parse_real(text); kind == Kind::kReal && real) {
    value.kind = kind;
    value.real = *real;
  }
  if (const auto truth = parse_boolean(text); kind == Kind::kBoolean && truth) {
    value.kind = kind;
    value.boolean = *truth;
  }
  return value;
}

}  // namespace toll::config
