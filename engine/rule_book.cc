#include "engine/rule_book.h"

namespace toll::engine {

void RuleBook::adopt(const PolicyTable& table) {
  for (Entry& entry : entries_) entry.active = false;
  entries_.resize(std::max(entries_.size(), table.policies().size()));
  for (const Policy& policy : table.policies()) {
    if (policy.spec.limits.empty()) continue;
    Entry& entry = entries_[policy.id];
    entry.active = policy.active;
    if (!entry.kept.empty() && entry.rules.revision == policy.revision) continue;
    if (entry.kept.size() > kPastMax) entry.kept.erase(entry.kept.begin());
    Kept& kept = entry.kept.emplace_back();
    kept.limits = policy.spec.limits;
    kept.rules = {policy.id, policy.revision, policy.spec.algorithm, kept.limits};
    entry.rules = kept.rules;
  }
}

const Rules* RuleBook::of(uint16_t policy, uint8_t revision) const {
  if (policy >= entries_.size()) return nullptr;
  const std::vector<Kept>& kept = entries_[policy].kept;
  for (auto it = kept.rbegin(); it != kept.rend(); ++it) {
    if (it->rules.revision == revision) return &it->rules;
  }
  return nullptr;
}

}  // namespace toll::engine
