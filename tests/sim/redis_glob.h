// Redis' patterns: * any bytes, ? one, [ab-d] and [^a] one of some, \ the next as it is.
#pragma once

#include <cstddef>
#include <string_view>

namespace toll::sim {

// Whether the set that begins behind the bracket has the byte; `pattern` then begins at its end.
inline bool take_set(std::string_view& pattern, char byte) {
  const bool inverted = pattern.starts_with('^');
  if (inverted) pattern.remove_prefix(1);
  bool found = false;
  while (!pattern.empty() && pattern[0] != ']') {
    if (pattern[0] == '\\' && pattern.size() > 1) {
      found |= pattern[1] == byte;
      pattern.remove_prefix(2);
    } else if (pattern.size() > 2 && pattern[1] == '-') {
      const char low = pattern[0] < pattern[2] ? pattern[0] : pattern[2];
      const char high = pattern[0] < pattern[2] ? pattern[2] : pattern[0];
      found |= low <= byte && byte <= high;
      pattern.remove_prefix(3);
    } else {
      found |= pattern[0] == byte;
      pattern.remove_prefix(1);
    }
  }
  if (!pattern.empty()) pattern.remove_prefix(1);
  return found != inverted;
}

inline bool matches_glob(std::string_view text, std::string_view pattern) {
  while (!pattern.empty()) {
    const char kind = pattern[0];
    pattern.remove_prefix(1);
    if (kind == '*') {
      for (size_t skipped = 0; skipped <= text.size(); ++skipped) {
        if (matches_glob(text.substr(skipped), pattern)) return true;
      }
      return false;
    }
    if (text.empty()) return false;
    const char byte = text[0];
    text.remove_prefix(1);
    if (kind == '?') continue;
    if (kind == '[') {
      if (!take_set(pattern, byte)) return false;
      continue;
    }
    char wanted = kind;
    if (kind == '\\' && !pattern.empty()) {
      wanted = pattern[0];
      pattern.remove_prefix(1);
    }
    if (wanted != byte) return false;
  }
  return text.empty();
}

}  // namespace toll::sim
