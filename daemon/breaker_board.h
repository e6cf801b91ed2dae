// The breakers of all workers taken together: what HEALTH says and the log tells of them.
//
// Each worker judges its own calls, so that nothing is shared on the way of a request; but there is
// one Redis, and an operator wants one line when it goes and one when it is back. A worker posts
// its breaker's transitions here, which are rare: a lock does no harm. Any thread.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "engine/breaker.h"

namespace toll::daemon {

class BreakerBoard {
 public:
  explicit BreakerBoard(uint32_t workers) : states_(workers, engine::BreakerState::kClosed) {}

  // The worker's breaker is in that state now. If this changes the state of all together (open
  // where any is open, else half-open where any is, else closed): the new one.
  std::optional<engine::BreakerState> post(uint32_t worker, engine::BreakerState state);

  engine::BreakerState state() const;

 private:
  engine::BreakerState together() const;

  mutable std::mutex mutex_;
  std::vector<engine::BreakerState> states_;
  engine::BreakerState told_ = engine::BreakerState::kClosed;
};

}  // namespace toll::daemon
