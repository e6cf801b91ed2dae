#include "engine/charge_keys.h"

namespace toll::engine {

std::optional<NanoDollars> ChargeKeys::find(const KeyHash& key) const {
  const auto found = answers_.find(key);
  if (found == answers_.end()) return std::nullopt;
  return found->second;
}

bool ChargeKeys::add(const KeyHash& key, NanoDollars answered, TimeUs now, bool replaces,
                     std::string_view text) {
  expire(now);
  // Those that were removed still stand in the queue, which must not grow by them.
  while (used_.size() >= keys_max_) {
    const bool gone = !answers_.contains(used_.front().key);
    if (!gone && !replaces) return false;
    drop_oldest();
  }
  if (!answers_.try_emplace(key, answered).second) return true;
  used_.push_back({key, now, std::string(text)});
  return true;
}

void ChargeKeys::answered(const KeyHash& key, NanoDollars spent) {
  if (const auto found = answers_.find(key); found != answers_.end()) found->second = spent;
}

void ChargeKeys::expire(TimeUs now) {
  while (!used_.empty() && used_.front().at + kChargeKeyLifeUs <= now) {
    drop_oldest();
  }
}

void ChargeKeys::drop_oldest() {
  answers_.erase(used_.front().key);
  used_.pop_front();
  ++first_;
}

}  // namespace toll::engine
