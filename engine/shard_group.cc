// Deciding several operations together, all or nothing.
//
// First every key is asked, operations on the same key with the sum of what they want, and nothing
// is changed; a refusal ends it there. Then the keys that are not there yet are created, with all
// keys of the group held so that none makes way for another; when memory runs out, they are taken
// away again. Only then is anything charged, and nothing can fail any more.
#include <algorithm>
#include <cassert>
#include <tuple>

#include "engine/shard_impl.h"

namespace toll::engine {

template <typename Each>
bool Shard::Impl::for_each_key(Each&& each) {
  std::span<Member> rest(members_);
  while (!rest.empty()) {
    size_t same = 1;
    while (same < rest.size() && rest[same].key == rest[0].key) ++same;
    if (!each(rest.first(same))) return false;
    rest = rest.subspan(same);
  }
  return true;
}

bool Shard::Impl::decide_together(std::span<Operation> group, TimeUs now) {
  for (const Operation& op : group) keys_.prefetch_index(op.key);
  for (const Operation& op : group) keys_.prefetch_block(op.key);
  bool all = gather(group, now);
  for_each_key([&](std::span<Member> same_key) {
    all = ask(group, same_key, now) && all;
    return true;
  });
  if (!all) return false;

  all = hold_all(group, now);
  if (all) {
    for_each_key([&](std::span<const Member> same_key) {
      charge(group, same_key, now);
      return true;
    });
  }
  let_go(all);
  return all;
}

// Fills members_ with the operations that can be asked; false if there are others.
bool Shard::Impl::gather(std::span<Operation> group, TimeUs now) {
  members_.clear();
  for (uint32_t i = 0; i < group.size(); ++i) {
    Operation& op = group[i];
    op.answer = {};
    const Rules* rules = rule_book_.current(op.policy);
    if (rules == nullptr) {
      op.outcome = Outcome::kNoPolicy;
      continue;
    }
    if (op.verb != Verb::kCheck || !goes_with(op.verb, rules->algorithm)) {
      op.outcome = Outcome::kUnfit;
      continue;
    }
    // Before any block is remembered, since fitting one key may free another.
    const BlockHandle block = keys_.find(op.key);
    if (block != kNoBlock && !fit(op.key, block, *rules, now)) {
      refuse_for_memory(op);
      continue;
    }
    members_.push_back({op.key, i, kNoBlock, false});
  }
  std::sort(members_.begin(), members_.end(), [](const Member& a, const Member& b) {
    return std::tie(a.key.rest, a.key.tag, a.key.home, a.position) <
           std::tie(b.key.rest, b.key.tag, b.key.home, b.position);
  });
  return members_.size() == group.size();
}

// Asks for the operations on one key, one after the other; true if all are admitted.
bool Shard::Impl::ask(std::span<Operation> group, std::span<Member> same_key, TimeUs now) {
  Member& first = same_key.front();
  first.block = keys_.find(first.key);
  const Rules& rules = *rule_book_.current(group[first.position].policy);
  return with_limit_set(rules, [&](auto tag) {
    using Set = typename decltype(tag)::Set;
    KeyHeader* key = first.block == kNoBlock ? nullptr : &keys_.header(first.block);
    Set set(keys_.blocks(), rules, key, now);
    if (key != nullptr) set.save(*key);
    int64_t admitted = 0;  // units of those before
    bool all = true;
    for (const Member& member : same_key) {
      Operation& op = group[member.position];
      assert(op.units > 0 && op.units <= kUnitsMax);
      const int64_t sum = admitted + op.units;
      if (sum <= kUnitsMax && set.admits(sum)) {
        op.outcome = Outcome::kAdmitted;
        op.answer = set.describe();
        admitted = sum;
        continue;
      }
      op.outcome = Outcome::kRefused;
      if (sum <= kUnitsMax) {
        op.answer = set.describe_refusal(sum);
      } else {
        op.answer = set.describe();
        op.answer.retry_us = kNever;
      }
      if (key != nullptr) note_refusal(*key, op.answer, now);
      all = false;
    }
    return all;
  });
}

// Creates the keys that are not there and reserves what will hang from any of them. False: there is
// no memory for it; let_go() is due in any case.
bool Shard::Impl::hold_all(std::span<Operation> group, TimeUs now) {
  size_t hanging = 0;
  for_each_key([&](std::span<const Member> same_key) {
    const Member& first = same_key.front();
    if (first.block != kNoBlock) keys_.header(first.block).shape.pinned = 1;
    const Rules& rules = *rule_book_.current(group[first.position].policy);
    if (rules.algorithm == Algorithm::kSlidingLog) hanging += same_key.size() * rules.limits.size();
    return true;
  });
  const bool held =
      for_each_key([&](std::span<Member> same_key) { return hold(group, same_key, now); });
  if (!held || hanging == 0) return held;
  if (keys_.make_room(members_[0].key.tag, hanging, now)) return true;
  refuse_for_memory(group[members_[0].position]);
  return false;
}

bool Shard::Impl::hold(std::span<Operation> group, std::span<Member> same_key, TimeUs now) {
  Member& first = same_key.front();
  if (first.block != kNoBlock) return true;
  Operation& op = group[first.position];
  first.block = keys_.create(first.key, *rule_book_.current(op.policy), now);
  if (first.block == kNoBlock) {
    refuse_for_memory(op);
    return false;
  }
  first.created = true;
  keys_.header(first.block).shape.pinned = 1;
  return true;
}

void Shard::Impl::let_go(bool keep_created) {
  for (const Member& member : members_) {
    if (member.block == kNoBlock) continue;
    keys_.header(member.block).shape.pinned = 0;
    if (member.created && !keep_created) keys_.erase(member.key.tag, member.block);
  }
}

void Shard::Impl::charge(std::span<Operation> group, std::span<const Member> same_key, TimeUs now) {
  const Member& first = same_key.front();
  const Rules& rules = *rule_book_.current(group[first.position].policy);
  with_limit_set(rules, [&](auto tag) {
    using Set = typename decltype(tag)::Set;
    KeyHeader& key = keys_.header(first.block);
    Set set(keys_.blocks(), rules, &key, now);
    for (const Member& member : same_key) {
      Operation& op = group[member.position];
      set.charge(op.units, 0, 0);
      op.answer = set.describe();
    }
    set.save(key);
    note_use(key, set, group[same_key.back().position].answer, now);
  });
}

}  // namespace toll::engine
