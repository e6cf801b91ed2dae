// Holds back lines of the log that come again and again: of those that differ in their figures at
// most, the first few in a while are told, and then how many more there were.
//
// Bounded: where too many kinds of lines come at once, those it has no room for are told. No clock
// of its own; for one thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <spdlog/common.h>
#include <string>
#include <string_view>

#include "daemon/limits.h"

namespace toll::daemon {

class RepeatedLines {
 public:
  static constexpr uint32_t kToldInARow = 10;
  static constexpr int64_t kWhileNs = 10'000'000'000;

  struct HeldBack {
    spdlog::level::level_enum level;
    uint64_t count;
    std::string text;  // the last of them
  };

  // May this line be told? If not it is counted here. Times are of one monotonic clock.
  bool passes(spdlog::level::level_enum level, std::string_view text, int64_t now_ns);

  // What was held back and whose while is over by now, one kind after the other; nullopt: no more.
  std::optional<HeldBack> take_due(int64_t now_ns);

  // When take_due() has something next; INT64_MAX: nothing is held back.
  int64_t next_due_ns() const;

 private:
  struct Kind {
    uint64_t hash = 0;
    int64_t until_ns = 0;
    uint32_t told = 0;
    HeldBack held_back = {};
  };
  Kind* find(uint64_t hash, int64_t now_ns);

  std::array<Kind, kLogKindsMax> kinds_;
};

}  // namespace toll::daemon
