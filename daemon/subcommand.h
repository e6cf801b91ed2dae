// The second word of a request, where a verb has several: a table of them, and finding one.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

namespace toll::daemon {

template <class Kind>
struct Subcommand {
  std::string_view name;  // upper case
  Kind kind;
  size_t words_min;  // verb and subcommand included
  size_t words_max;
  std::string_view usage;

  bool arity_ok(size_t words) const { return words >= words_min && words <= words_max; }
};

// By name, in any case; null if there is none.
template <class Kind, size_t kSize>
const Subcommand<Kind>* find_subcommand(const std::array<Subcommand<Kind>, kSize>& all,
                                        std::string_view word) {
  const auto same = [](char a, char b) {
    return (a >= 'a' && a <= 'z' ? static_cast<char>(a - 'a' + 'A') : a) == b;
  };
  for (const Subcommand<Kind>& each : all) {
    if (std::ranges::equal(word, each.name, same)) return &each;
  }
  return nullptr;
}

}  // namespace toll::daemon
