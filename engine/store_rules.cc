#include <cassert>
#include <utility>

#include "engine/store_batch.h"

namespace toll::engine {

StoreRules::StoreRules(std::shared_ptr<const PolicyTable> table, std::string_view prefix)
    : table_(std::move(table)) {
  for (const Policy& policy : table_->policies()) {
    names_.emplace_back(policy.spec, prefix);
    std::vector<RuleNumbers>& numbers = numbers_.emplace_back();
    for (const Limit& limit : policy.spec.limits) {
      numbers.push_back(rule_numbers(policy.spec.algorithm, limit));
    }
  }
  names_.push_back(KeyNames::throttle(prefix));
}

StoreRules::~StoreRules() = default;

const KeyNames& StoreRules::names(uint16_t policy) const {
  if (policy == kThrottlePolicy) return names_.back();
  assert(policy < numbers_.size());
  return names_[policy];
}

std::span<const RuleNumbers> StoreRules::numbers(uint16_t policy) const {
  assert(policy < numbers_.size());
  return numbers_[policy];
}

}  // namespace toll::engine
