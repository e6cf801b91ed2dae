#include "engine/store_batch.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <utility>

#include "engine/dark_usage.h"
#include "engine/flaws.h"
#include "engine/shard_impl.h"
#include "engine/store_batch_state.h"

namespace toll::engine {
namespace {

// How many limits of CL.THROTTLE are looked through for an equal one.
constexpr size_t kThrottleRulesSeen = 8;

ScriptVerb script_verb(const Operation& op) {
  switch (op.verb) {
    case Verb::kCheck:
      return ScriptVerb::kCheck;
    case Verb::kThrottle:
      return op.units == 0 ? ScriptVerb::kPeek : ScriptVerb::kCheck;
    case Verb::kRefund:
      return ScriptVerb::kRefund;
    case Verb::kCharge:
    case Verb::kRepay:
      return ScriptVerb::kCharge;
    case Verb::kReset:
      return ScriptVerb::kReset;
    case Verb::kAcquire:
      return ScriptVerb::kAcquire;
    case Verb::kRelease:
      return ScriptVerb::kRelease;
    case Verb::kLease:
      return ScriptVerb::kLease;
    case Verb::kReturn:
      return ScriptVerb::kReturn;
    case Verb::kPeek:
    case Verb::kUndo:
    case Verb::kNote:
      break;
  }
  return ScriptVerb::kPeek;
}

// Usage in the dark is charged where the window still runs.
bool leaves_out(const Operation& op, const Limit& limit) {
  return op.verb == Verb::kRepay && limit.window_us < kDarkWindowMinUs;
}

// Another window makes it another, since what was renewed for the old one may be too short.
uint64_t identity_of(const KeyHash& key, uint32_t index, const Limit& limit) {
  return key.rest + index + static_cast<uint64_t>(limit.window_us) * 0x9e3779b97f4a7c15;
}

void fail(const StoreRequest& request, Outcome outcome, size_t position) {
  for (Operation& op : request.all()) {
    op.outcome = Outcome::kDone;
    op.answer = {};
  }
  request.operations[position].outcome = outcome;
}

}  // namespace

StoreBatch::StoreBatch(const Settings& settings, std::shared_ptr<StoreRenewals> renewals)
    : state_(std::make_unique<State>(settings)) {
  state_->renewals = renewals ? std::move(renewals) : std::make_shared<StoreRenewals>();
}
StoreBatch::~StoreBatch() = default;

void StoreBatch::clear(std::shared_ptr<const StoreRules> rules) {
  requests_.clear();
  state_->clear(std::move(rules));
}

size_t StoreBatch::items() const {
  return state_->items.size();
}

StoreBatch::Added StoreBatch::add(StoreRequest& request, TimeUs store_now) {
  assert(request.count > 0 && state_->rules != nullptr);
  for (size_t i = 0; i < request.count; ++i) {
    const Outcome fault = state_->fault_of(request.operations[i], request.count == 1);
    if (fault == Outcome::kDone) continue;
    fail(request, fault, i);
    return fault == Outcome::kNoPolicy ? Added::kNoPolicy : Added::kUnfit;
  }
  if (!empty() && !state_->fits(request, requests_.size())) return Added::kFull;
  state_->store_now = store_now;
  if (!state_->take(request, static_cast<uint32_t>(requests_.size()))) {
    if (!empty()) return Added::kFull;
    fail(request, Outcome::kUnfit, request.count - size_t{1});
    return Added::kUnfit;
  }
  requests_.push_back(&request);
  return Added::kTaken;
}

void StoreBatch::State::clear(std::shared_ptr<const StoreRules> with) {
  if (rules != with) {
    rules = std::move(with);
    rule_of_policy.assign(rules->table().policies().size(), kNoRule);
  } else {
    for (const uint16_t policy : policies) rule_of_policy[policy] = kNoRule;
  }
  policies.clear();
  throttle_rules.clear();
  numbers.clear();
  limits.clear();
  shared.clear();
  keys.clear();
  items.clear();
  claims.clear();
  parts.clear();
  slots.clear();
  tickets.clear();
  ticket_ends.clear();
}

Outcome StoreBatch::State::fault_of(const Operation& op, bool alone) const {
  assert(op.verb != Verb::kUndo && op.verb != Verb::kNote);
  if (!alone && op.verb != Verb::kCheck) return Outcome::kUnfit;
  if (op.verb == Verb::kThrottle) return Outcome::kDone;
  const Policy* policy = rules->table().find(op.policy);
  if (policy == nullptr) return Outcome::kNoPolicy;
  if (!goes_with(op.verb, policy->spec.algorithm)) return Outcome::kUnfit;
  // What they cost then is not what they cost now.
  if (op.verb == Verb::kReturn && op.revision != policy->revision) return Outcome::kUnfit;
  const bool some = std::any_of(policy->spec.limits.begin(), policy->spec.limits.end(),
                                [&](const Limit& limit) { return !leaves_out(op, limit); });
  return some ? Outcome::kDone : Outcome::kUnfit;
}

bool StoreBatch::State::fits(const StoreRequest& request, size_t taken) const {
  if (taken >= settings.requests_max) return false;
  if (slots.size() + request.count > settings.operations_max) return false;
  size_t bytes = keys.bytes();
  for (size_t i = 0; i < request.count; ++i) {
    const Operation& op = request.operations[i];
    const uint16_t policy = op.verb == Verb::kThrottle ? kThrottlePolicy : op.policy;
    const Algorithm algorithm =
        op.verb == Verb::kThrottle ? Algorithm::kGcra : rules->table().find(policy)->spec.algorithm;
    const KeyNames& names = rules->names(policy);
    for (size_t limit = 0; limit < names.size(); ++limit) {
      const size_t name = names.bytes(limit) + request.ids[i].size();
      bytes += name + StoreKeys::bytes_beside(algorithm, name);
    }
  }
  return bytes <= settings.bytes_max;
}

// ---- rules ----

uint32_t StoreBatch::State::add_rule(const Limit& limit, const RuleNumbers& rule, bool is_shared) {
  limits.push_back(limit);
  numbers.push_back(rule);
  shared.push_back(is_shared);
  return static_cast<uint32_t>(numbers.size() - 1);
}

uint32_t StoreBatch::State::throttle_rule(const Limit& limit) {
  const size_t seen = std::min(throttle_rules.size(), kThrottleRulesSeen);
  for (size_t i = throttle_rules.size() - seen; i < throttle_rules.size(); ++i) {
    if (limits[throttle_rules[i]] == limit) return throttle_rules[i];
  }
  throttle_rules.push_back(add_rule(limit, rule_numbers(Algorithm::kGcra, limit), false));
  return throttle_rules.back();
}

uint32_t StoreBatch::State::rules_of(const Operation& op) {
  if (op.verb == Verb::kThrottle) return throttle_rule(*op.throttle);
  uint32_t& first = rule_of_policy[op.policy];
  if (first != kNoRule) return first;
  first = static_cast<uint32_t>(numbers.size());
  policies.push_back(op.policy);
  const PolicySpec& spec = rules->table().find(op.policy)->spec;
  for (size_t i = 0; i < spec.limits.size(); ++i) {
    add_rule(spec.limits[i], rules->numbers(op.policy)[i], !spec.key_template.empty());
  }
  return first;
}

// ---- items ----

bool StoreBatch::State::take(const StoreRequest& request, uint32_t number) {
  keys.take_secret(request.operations[0].key);
  const auto first_slot = static_cast<uint32_t>(slots.size());
  const uint32_t keys_before = keys.size();
  for (uint32_t i = 0; i < request.count; ++i) {
    StoreSlot& slot = slots.emplace_back();
    slot.request = number;
    slot.operation = i;
    slot.units = request.operations[i].units;
  }
  const bool taken = request.count == 1            ? take_single(request, first_slot)
                     : flawed(Flaw::kSplitsGroups) ? take_apart(request, first_slot)
                                                   : take_group(request, first_slot);
  if (taken) return true;
  slots.resize(first_slot);
  keys.cut_back_to(keys_before);
  return false;
}

bool StoreBatch::State::take_single(const StoreRequest& request, uint32_t slot) {
  const Operation& op = request.operations[0];
  if (!find_keys(op, request.ids[0])) return false;
  const ScriptVerb verb = script_verb(op);
  if (verb == ScriptVerb::kCheck && merge(op, slot)) return true;
  Item item;
  item.verb = verb;
  item.merges = verb == ScriptVerb::kCheck;
  if (verb == ScriptVerb::kLease) item.times = static_cast<uint32_t>(op.units);
  item.first_part = static_cast<uint32_t>(parts.size());
  item.first_claim = static_cast<uint32_t>(claims.size());
  add_claim(item, op, slot);
  items.push_back(item);
  return true;
}

bool StoreBatch::State::take_group(const StoreRequest& request, uint32_t first_slot) {
  Item item;
  item.first_part = static_cast<uint32_t>(parts.size());
  item.first_claim = static_cast<uint32_t>(claims.size());
  for (uint32_t i = 0; i < request.count; ++i) {
    const Operation& op = request.operations[i];
    if (!find_keys(op, request.ids[i])) {
      parts.resize(item.first_part);
      claims.resize(item.first_claim);
      return false;
    }
    StoreClaim* claim = claim_on_found(item);
    if (claim == nullptr) {
      add_claim(item, op, first_slot + i);
    } else {
      set_units(*claim, claim->units + op.units);
      add_slot(*claim, first_slot + i);
    }
  }
  items.push_back(item);
  return true;
}

bool StoreBatch::State::take_apart(const StoreRequest& request, uint32_t first_slot) {
  for (uint32_t i = 0; i < request.count; ++i) {
    const StoreRequest one{.operations = request.operations + i, .ids = request.ids + i};
    if (!take_single(one, first_slot + i)) return false;
  }
  return true;
}

bool StoreBatch::State::find_keys(const Operation& op, std::string_view id) {
  const uint32_t first_rule = rules_of(op);
  const bool throttle = op.verb == Verb::kThrottle;
  const KeyNames& names = rules->names(throttle ? kThrottlePolicy : op.policy);
  const Algorithm algorithm = static_cast<Algorithm>(numbers[first_rule][0]);
  found.clear();
  for (size_t i = 0; i < names.size(); ++i) {
    const auto rule = static_cast<uint32_t>(first_rule + i);
    if (leaves_out(op, limits[rule])) continue;
    const uint32_t key = keys.find_or_add(names, i, id, algorithm, rule);
    // The script takes a key for one rule's alone.
    if (keys[key].rule != rule) return false;
    found.push_back({.rule = rule, .key = key});
  }
  return true;
}

// An equal check right behind one on the same keys is one more of it.
bool StoreBatch::State::merge(const Operation& op, uint32_t slot) {
  const uint32_t last = keys[found[0].key].last_item;
  if (last >= items.size()) return false;
  Item& item = items[last];
  if (!item.merges || item.parts != found.size()) return false;
  StoreClaim& claim = claims[item.first_claim];
  if (claim.units != op.units) return false;
  for (size_t i = 0; i < found.size(); ++i) {
    if (parts[item.first_part + i].key != found[i].key) return false;
    if (keys[found[i].key].last_item != last) return false;
  }
  ++item.times;
  add_slot(claim, slot);
  return true;
}

StoreClaim* StoreBatch::State::claim_on_found(const Item& item) {
  if (keys[found[0].key].last_item != items.size()) return nullptr;
  for (uint32_t i = item.first_claim; i < claims.size(); ++i) {
    if (parts[claims[i].first_part].key == found[0].key) return &claims[i];
  }
  return nullptr;
}

void StoreBatch::State::add_claim(Item& item, const Operation& op, uint32_t slot) {
  StoreClaim& claim = claims.emplace_back();
  ++item.claims;
  claim.verb = script_verb(op);
  claim.algorithm = static_cast<Algorithm>(numbers[found[0].rule][0]);
  claim.throttle = op.verb == Verb::kThrottle;
  claim.unseen = op.verb == Verb::kRepay || op.verb == Verb::kReturn;
  claim.limits = static_cast<uint8_t>(found.size());
  claim.first_rule = found[0].rule;
  claim.first_part = static_cast<uint32_t>(parts.size());
  add_slot(claim, slot);
  for (const Part& part : found) {
    StoreKey& key = keys[part.key];
    if (key.last_item != kNoItem) key.alone = false;
    key.identity = identity_of(op.key, part.rule - claim.first_rule, limits[part.rule]);
    key.last_item = static_cast<uint32_t>(items.size());
    parts.push_back(part);
    ++item.parts;
  }
  if (claim.verb == ScriptVerb::kPeek || claim.verb == ScriptVerb::kReset) return;
  if (claim.verb == ScriptVerb::kLease) {
    set_units(claim, 1);
    claim.most = op.units;
    claim.lease_us = op.lease_us;
    set_c(claim, lease_held_us(op.lease_us));
  } else if (claim.verb == ScriptVerb::kReturn) {
    set_units(claim, op.units);
    set_c(claim, op.lease_us);
  } else if (claim.verb != ScriptVerb::kRelease) {
    set_units(claim, op.units);
  }
  Part& first = parts[claim.first_part];
  if (claim.verb == ScriptVerb::kAcquire) {
    claim.ttl_us = op.ttl_us;
    first.b = wait_ms(op.ttl_us);
  }
  const bool tickets_too = claim.verb == ScriptVerb::kAcquire || claim.verb == ScriptVerb::kRelease;
  if (tickets_too) first.c = add_ticket(op.ticket);
}

void StoreBatch::State::add_slot(StoreClaim& claim, uint32_t slot) {
  if (claim.first_slot == kNoSlot) {
    claim.first_slot = slot;
  } else {
    slots[claim.last_slot].next = slot;
  }
  claim.last_slot = slot;
}

void StoreBatch::State::set_units(StoreClaim& claim, int64_t units) {
  claim.units = units;
  for (uint32_t i = 0; i < claim.limits; ++i) {
    Part& part = parts[claim.first_part + i];
    part.a = units;
    if (claim.algorithm != Algorithm::kGcra) continue;
    const ScriptCost cost = script_cost(limits[part.rule], units);
    part.a = cost.whole_us;
    part.b = cost.fraction;
  }
}

void StoreBatch::State::set_c(const StoreClaim& claim, int64_t c) {
  for (uint32_t i = 0; i < claim.limits; ++i) parts[claim.first_part + i].c = c;
}

int64_t StoreBatch::State::add_ticket(uint64_t ticket) {
  char digits[20];
  const auto end = std::to_chars(std::begin(digits), std::end(digits), ticket).ptr;
  tickets.append(digits, end);
  ticket_ends.push_back(static_cast<uint32_t>(tickets.size()));
  return static_cast<int64_t>(ticket_ends.size()) + 1;  // ARGV[1] is the packed input
}

}  // namespace toll::engine
