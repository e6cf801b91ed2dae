// How one value of the configuration is checked and taken: the building blocks of the tables of
// keys.
//
// Each function either stores into its last argument, and returns nothing, or leaves it alone and
// returns what it objects to. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/document.h"
#include "config/units.h"

namespace toll::config {

// The part of a value that cannot be taken, and what was expected there; "" is what its key says.
// Points into the value.
struct Objection {
  const Value* part;
  Expected expected;
};
using Objected = std::optional<Objection>;

inline Objected objection(const Value& part, Expected expected = "") {
  return Objection{&part, expected};
}

Objected take_int64(const Value& value, int64_t min, int64_t max, int64_t& out);
Objected take_duration(const Value& value, int64_t min_us, int64_t max_us, int64_t& out_us);
Objected take_size(const Value& value, int64_t min_bytes, int64_t max_bytes, int64_t& out_bytes);

Objected take_boolean(const Value& value, bool& out);

// A number, with a fraction or without.
Objected take_real(const Value& value, double min, double max, double& out);

// A text of 1 to `bytes_max` bytes that is_plain_text().
Objected take_text(const Value& value, size_t bytes_max, std::string& out);

// "" or a group that exists on this host.
Objected take_group(const Value& value, std::string& out);

// "0660": up to four octal digits, permission bits only.
Objected take_file_mode(const Value& value, uint32_t& out);

// One of the enumerators, by the name that to_string() gives it.
template <class Enum>
Objected take_choice(const Value& value, std::initializer_list<Enum> choices, Enum& out) {
  if (value.kind != Kind::kText) return objection(value);
  for (const Enum choice : choices) {
    if (to_string(choice) != value.text) continue;
    out = choice;
    return std::nullopt;
  }
  return objection(value);
}

// The same for figures kept in other types; the bounds make sure that they fit.
template <class Number>
Objected take_number(const Value& value, int64_t min, int64_t max, Number& out) {
  int64_t number = 0;
  const Objected objected = take_int64(value, min, max, number);
  if (!objected) out = static_cast<Number>(number);
  return objected;
}

template <class Number>
Objected take_bytes(const Value& value, int64_t min_bytes, int64_t max_bytes, Number& out_bytes) {
  int64_t bytes = 0;
  const Objected objected = take_size(value, min_bytes, max_bytes, bytes);
  if (!objected) out_bytes = static_cast<Number>(bytes);
  return objected;
}

// `text`, as the environment and the command line give it, as the kind of value that a key takes:
// a number or a truth (true, yes, on, 1 and their opposites) if it is one, a list split at commas.
// What cannot be turned stays a text, to be
// objected to.
Value value_from_text(std::string_view text, Kind kind);

}  // namespace toll::config
