// The numbers that StoreBatch and lua/limits.lua speak to each other in. The format is described at
// the head of lua/limits.lua; here is the C++ side's copy of it.
//
// A call's input is one flat array of integers, its reply another:
//
//   in   Q, G, S, R, N, R rules of kRuleNumbers, Q quick items of kQuickNumbers, N items: verb,
//        times, parts, and kPartNumbers per part
//   out  now_us, then per item: code, and per part as many numbers as its algorithm's state has
//
// Pure functions; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "engine/policy.h"
#include "engine/types.h"

namespace toll::engine {

enum class ScriptVerb : uint8_t {
  kCheck,
  kPeek,
  kRefund,
  kCharge,
  kReset,
  kAcquire,
  kRelease,
  kLease,
  kReturn
};

// Algorithms travel as they are numbered.
static_assert(static_cast<int>(Algorithm::kGcra) == 0);
static_assert(static_cast<int>(Algorithm::kTokenBucket) == 1);
static_assert(static_cast<int>(Algorithm::kSlidingLog) == 2);
static_assert(static_cast<int>(Algorithm::kSlidingWindow) == 3);
static_assert(static_cast<int>(Algorithm::kFixedWindow) == 4);
static_assert(static_cast<int>(Algorithm::kConcurrency) == 5);

inline constexpr size_t kHeadNumbers = 5;
inline constexpr size_t kQuickNumbers = 3;
// A quick lease's hold and times are one number.
inline constexpr int64_t kQuickTimesEnd = int64_t{1} << 21;
inline constexpr size_t kRuleNumbers = 8;
inline constexpr size_t kItemNumbers = 3;
inline constexpr size_t kPartNumbers = 5;

// The code of an item of which nothing was done: one of its keys holds what is no limit.
inline constexpr int64_t kCodePoisoned = -1;

// How many numbers tell the state of one limit.
constexpr size_t state_numbers(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::kGcra:
    case Algorithm::kFixedWindow:
      return 2;
    case Algorithm::kTokenBucket:
    case Algorithm::kSlidingLog:
    case Algorithm::kSlidingWindow:
    case Algorithm::kConcurrency:
      return 3;
  }
  return 0;
}

using RuleNumbers = std::array<int64_t, kRuleNumbers>;

// A limit as it travels. A calendar month is a length of 0: the script knows the calendar.
// REQUIRES: a limit without fault.
RuleNumbers rule_numbers(Algorithm algorithm, const Limit& limit);

// What units cost under gcra, as engine/gcra.cc reckons: whole microseconds, at most kTimeMaxUs,
// which no limit tolerates, and a numerator over the count. Also for sums beyond kUnitsMax, of
// which none is tolerated.
struct ScriptCost {
  int64_t whole_us = 0;
  int64_t fraction = 0;
};
ScriptCost script_cost(const Limit& limit, int64_t units);

}  // namespace toll::engine
