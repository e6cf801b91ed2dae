#include "daemon/watchers.h"

#include <algorithm>
#include <utility>

#include "daemon/session.h"

namespace toll::daemon {

bool Watchers::reserve() {
  if (under_way_.load() >= kEventBatchesMax) return false;
  under_way_.fetch_add(1);
  return true;
}

void Watchers::add(Session& session) {
  sessions_.push_back(&session);
}

void Watchers::remove(Session& session) {
  const auto found = std::ranges::find(sessions_, &session);
  if (found == sessions_.end()) return;
  if (static_cast<size_t>(found - sessions_.begin()) < next_) --next_;
  sessions_.erase(found);
}

void Watchers::take(std::shared_ptr<const Events> events, const MissedEvents& missed) {
  batches_.push_back({std::move(events), missed});
}

void Watchers::tell() {
  size_t told = 0;
  while (!batches_.empty() && told < kEventsToldPerTurnMax) {
    const Batch& batch = batches_.front();
    if (next_ == sessions_.size()) {
      next_ = 0;
      batches_.pop_front();
      under_way_.fetch_sub(1);
      continue;
    }
    Session& session = *sessions_[next_];
    ++next_;
    session.miss(batch.missed);
    for (const Event& event : *batch.events) session.tell(event);
    told += batch.events->size();
  }
}

}  // namespace toll::daemon
