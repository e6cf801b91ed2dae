#include "config/document.h"

#include <algorithm>
#include <cassert>
#include <fmt/format.h>
#include <optional>

#include "config/limits.h"
#include "config/toml_parser.h"

namespace toll::config {
namespace {

Position position_of(const toml::source_region& region) {
  return {static_cast<uint32_t>(region.begin.line), static_cast<uint32_t>(region.begin.column)};
}

Value convert(const toml::node& node);

void convert_table(const toml::table& table, Value& value) {
  value.kind = Kind::kTable;
  for (const auto& [key, node] : table) {
    value.entries.push_back({std::string(key.str()), position_of(key.source()), convert(node)});
  }
  // The parser keeps tables sorted by name; the operator's order is the one to report and print in.
  std::ranges::sort(value.entries, {}, &Entry::position);
}

Value convert(const toml::node& node) {
  Value value;
  value.position = position_of(node.source());
  if (const auto* table = node.as_table()) {
    convert_table(*table, value);
  } else if (const auto* list = node.as_array()) {
    value.kind = Kind::kList;
    for (const toml::node& item : *list) value.items.push_back(convert(item));
  } else if (const auto* text = node.as_string()) {
    value.kind = Kind::kText;
    value.text = text->get();
  } else if (const auto* integer = node.as_integer()) {
    value.kind = Kind::kInteger;
    value.integer = integer->get();
  } else if (const auto* boolean = node.as_boolean()) {
    value.kind = Kind::kBoolean;
    value.boolean = boolean->get();
  } else if (const auto* real = node.as_floating_point()) {
    value.kind = Kind::kReal;
    value.real = real->get();
  } else {
    value.kind = Kind::kTime;
  }
  return value;
}

// With a quote in it, such a line may be the end of a text instead.
bool is_comment(std::string_view line) {
  const size_t first = line.find_first_not_of(" \t");
  return first != std::string_view::npos && line[first] == '#' &&
         line.find_first_of("\"'") == std::string_view::npos;
}

// Each level of tables costs a dot or a bracket. Brackets the parser bounds itself; dots it does
// not, and a line of a million of them would overflow the stack.
std::optional<SyntaxError> too_deep(std::string_view text) {
  Position at = {0, 1};
  while (!text.empty()) {
    ++at.line;
    const size_t length = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, length);
    const auto dots = static_cast<size_t>(std::ranges::count(line, '.'));
    if (dots > kDotsPerLineMax && !is_comment(line)) {
      return SyntaxError{
          at, fmt::format("found {} dots on one line, expected at most {}", dots, kDotsPerLineMax)};
    }
    text.remove_prefix(std::min(length + 1, text.size()));
  }
  return std::nullopt;
}

}  // namespace

std::expected<Value, SyntaxError> parse_document(std::string_view text) {
  assert(text.size() <= kFileBytesMax);
  if (auto error = too_deep(text)) return std::unexpected(*std::move(error));
  const toml::parse_result result = toml::parse(text);
  if (!result) {
    const toml::parse_error& error = result.error();
    return std::unexpected(
        SyntaxError{position_of(error.source()), shown(error.description(), kShownSentenceMax)});
  }
  Value root;
  convert_table(result.table(), root);
  return root;
}

std::string describe(const Value& value) {
  switch (value.kind) {
    case Kind::kText:
      return fmt::format("the text \"{}\"", shown(value.text));
    case Kind::kInteger:
      return fmt::format("the whole number {}", value.integer);
    case Kind::kReal:
      return "a number with a fraction";
    case Kind::kBoolean:
      return value.boolean ? "true" : "false";
    case Kind::kTime:
      return "a date or time";
    case Kind::kList:
      return value.items.empty() ? "an empty list" : "a list";
    case Kind::kTable:
      return "a table";
  }
  return "";
}

}  // namespace toll::config
