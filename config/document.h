// A TOML text as a plain tree of values that know where they stand.
//
// The only door to toml++: everything else in this room works on these values, whether they came
// from a file or, made by hand, from the environment. Owned by whoever parsed it. Any thread;
// allocates.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "config/text.h"

namespace toll::config {

// Counted from 1, columns in characters. Line 0: not from a file.
struct Position {
  uint32_t line = 0;
  uint32_t column = 0;

  auto operator<=>(const Position&) const = default;
};

enum class Kind : uint8_t { kText, kInteger, kReal, kBoolean, kTime, kList, kTable };

struct Entry;

// One value; which of the members holds it, `kind` says. Times, which no key takes, keep nothing
// but their place.
struct Value {
  Kind kind = Kind::kText;
  Position position;
  std::string text;
  int64_t integer = 0;
  double real = 0;
  bool boolean = false;
  std::vector<Value> items;    // of a list
  std::vector<Entry> entries;  // of a table, in the order of the file
};

struct Entry {
  std::string key;  // any text at all, when it was quoted
  Position position;
  Value value;
};

struct SyntaxError {
  Position position;
  std::string message;
};

// The root table of `text`, or the first thing that is not TOML. Also refused, though TOML: lines
// with more dots than config/limits.h allows. REQUIRES: at most kFileBytesMax bytes.
[[nodiscard]] std::expected<Value, SyntaxError> parse_document(std::string_view text);

// What a message calls the value: `the text "four"`, `the whole number 5`, `a list`.
std::string describe(const Value& value);

}  // namespace toll::config
