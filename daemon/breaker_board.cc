#include "daemon/breaker_board.h"

#include <algorithm>

namespace toll::daemon {

using engine::BreakerState;

std::optional<BreakerState> BreakerBoard::post(uint32_t worker, BreakerState state) {
  const std::lock_guard lock(mutex_);
  states_[worker] = state;
  const BreakerState now = together();
  if (now == told_) return std::nullopt;
  told_ = now;
  return now;
}

BreakerState BreakerBoard::state() const {
  const std::lock_guard lock(mutex_);
  return together();
}

BreakerState BreakerBoard::together() const {
  for (const BreakerState worst : {BreakerState::kOpen, BreakerState::kHalfOpen}) {
    if (std::find(states_.begin(), states_.end(), worst) != states_.end()) return worst;
  }
  return BreakerState::kClosed;
}

}  // namespace toll::daemon
