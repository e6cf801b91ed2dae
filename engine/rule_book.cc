#include "engine/rule_book.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "engine/exact.h"
#include "engine/flaws.h"

namespace toll::engine {
namespace {

// What one of `hosts` may use of a limit.
Limit share_of(Algorithm algorithm, const Limit& whole, uint32_t hosts) {
  const int64_t count = std::max(whole.count / hosts, int64_t{1});
  const int64_t burst = std::max(whole.burst / hosts, int64_t{1});
  const Limit share = make_limit(count, burst, whole.window_us, whole.calendar);
  if (limit_fault(algorithm, share).empty()) return share;
  // A count that lost much to rounding may need too long for its burst to come back.
  const int64_t burst_max = mul_div_floor(kRefillMaxUs, count, whole.window_us);
  return make_limit(count, std::min(burst, burst_max), whole.window_us, whole.calendar);
}

std::vector<Limit> shares_of(const PolicySpec& spec, uint32_t hosts) {
  std::vector<Limit> shares = spec.limits;
  if (hosts == 1 || spec.mode == Mode::kLocal || flawed(Flaw::kIgnoresShare)) return shares;
  for (Limit& limit : shares) limit = share_of(spec.algorithm, limit, hosts);
  return shares;
}

}  // namespace

void RuleBook::adopt(const PolicyTable& table, uint32_t hosts) {
  assert(hosts > 0);
  for (Entry& entry : entries_) entry.active = false;
  entries_.resize(std::max(entries_.size(), table.policies().size()));
  for (const Policy& policy : table.policies()) {
    if (!policy.active) continue;
    Entry& entry = entries_[policy.id];
    entry.active = true;
    bring_to(entry, policy, shares_of(policy.spec, hosts));
  }
}

void RuleBook::bring_to(Entry& entry, const Policy& policy, std::vector<Limit> limits) {
  const Algorithm algorithm = policy.spec.algorithm;
  std::vector<Kept>& kept = entry.kept;
  const auto known = std::ranges::find_if(kept, [&](const Kept& each) {
    return each.rules.algorithm == algorithm && each.limits == limits;
  });
  if (known != kept.end()) {
    std::rotate(known, known + 1, kept.end());
  } else {
    if (kept.size() > kPastMax) kept.erase(kept.begin());
    const auto taken = [&](const Kept& each) { return each.rules.revision == entry.newest; };
    do {
      ++entry.newest;
    } while (std::ranges::any_of(kept, taken));
    Kept& added = kept.emplace_back();
    added.limits = std::move(limits);
    added.rules = {policy.id, entry.newest, algorithm, added.limits};
  }
  entry.rules = kept.back().rules;
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
