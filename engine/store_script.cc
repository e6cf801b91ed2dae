#include "engine/store_script.h"

#include "engine/exact.h"
#include "engine/limits.h"

namespace toll::engine {

RuleNumbers rule_numbers(Algorithm algorithm, const Limit& limit) {
  const auto number = static_cast<int64_t>(algorithm);
  const int64_t window_ms = limit.window_us / kUsPerMs;
  switch (algorithm) {
    case Algorithm::kGcra: {
      const ScriptCost debt = script_cost(limit, kDebtUnitsMax);
      return {number,
              limit.count,
              limit.tolerance_us,
              limit.tolerance_fraction,
              debt.whole_us,
              debt.fraction,
              0,
              0};
    }
    case Algorithm::kTokenBucket:
      return {number, limit.count, limit.burst, limit.window_us, kDebtUnitsMax, 0, 0, 0};
    case Algorithm::kSlidingLog:
      return {number, limit.count, window_ms, kSlidingLogDebtMax, 0, 0, 0, 0};
    case Algorithm::kSlidingWindow:
    case Algorithm::kFixedWindow: {
      const int64_t length_ms = limit.calendar == Calendar::kMonth ? 0 : window_ms;
      return {number, limit.count, kDebtUnitsMax, length_ms, 0, 0, 0, 0};
    }
    case Algorithm::kConcurrency:
      return {number, limit.count, wait_ms(limit.window_us), 0, 0, 0, 0, 0};
  }
  return {};
}

ScriptCost script_cost(const Limit& limit, int64_t units) {
  if (units == 1) [[likely]] {
    return {limit.interval_us, limit.interval_fraction};
  }
  if (units > kUnitsMax) return {kTimeMaxUs, 0};
  const Int128 cost = static_cast<Int128>(units) * limit.window_us;
  const Int128 whole_us = cost / limit.count;
  if (whole_us >= kTimeMaxUs) return {kTimeMaxUs, 0};
  return {static_cast<int64_t>(whole_us), static_cast<int64_t>(cost % limit.count)};
}

}  // namespace toll::engine
