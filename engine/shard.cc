#include "engine/shard.h"

#include <algorithm>
#include <array>
#include <cassert>

#include "engine/shard_impl.h"

namespace toll::engine {
namespace {

// Keys fetched side by side: few enough that what was fetched first is still there when it is used.
constexpr size_t kPrefetchedTogether = 64;

Rules throttle_rules(const Operation& op) {
  return {kThrottlePolicy, 0, Algorithm::kGcra, {op.throttle, 1}};
}

}  // namespace

bool goes_with(Verb verb, Algorithm algorithm) {
  switch (verb) {
    case Verb::kCheck:
    case Verb::kRefund:
    case Verb::kUndo:
    case Verb::kCharge:
    case Verb::kRepay:
      return algorithm != Algorithm::kConcurrency;
    case Verb::kAcquire:
    case Verb::kRelease:
      return algorithm == Algorithm::kConcurrency;
    case Verb::kLease:
    case Verb::kReturn:
      return can_lease(algorithm);
    case Verb::kPeek:
    case Verb::kReset:
    case Verb::kThrottle:
    case Verb::kNote:
      return true;
  }
  return false;
}

Shard::Shard(Settings settings) : impl_(std::make_unique<Impl>(settings, stats_)) {}
Shard::~Shard() = default;

void Shard::adopt(const std::shared_ptr<const PolicyTable>& table, uint32_t hosts) {
  impl_->adopt(*table, hosts);
}

void Shard::decide(std::span<Operation* const> batch, TimeUs now) {
  while (!batch.empty()) {
    const auto part = batch.first(std::min(batch.size(), kPrefetchedTogether));
    impl_->decide(part, now);
    batch = batch.subspan(part.size());
  }
  impl_->count();
}

void Shard::decide(std::span<Operation> batch, TimeUs now) {
  std::array<Operation*, kPrefetchedTogether> pointers;
  while (!batch.empty()) {
    const std::span<Operation> part = batch.first(std::min(batch.size(), pointers.size()));
    for (size_t i = 0; i < part.size(); ++i) pointers[i] = &part[i];
    impl_->decide(std::span(pointers).first(part.size()), now);
    batch = batch.subspan(part.size());
  }
  impl_->count();
}

bool Shard::decide_together(std::span<Operation> group, TimeUs now) {
  const bool all = impl_->decide_together(group, now);
  impl_->count();
  return all;
}

void Shard::sweep(TimeUs now, size_t keys_max) {
  impl_->sweep(now, keys_max);
  impl_->count();
}

Shard::Impl::Impl(Settings settings, ShardStats& stats)
    : stats_(stats), keys_(settings.memory_bytes, rule_book_, stats) {
  assert(settings.memory_bytes >= size_t{64} << 10);
}

void Shard::Impl::decide(std::span<Operation* const> batch, TimeUs now) {
  for (const Operation* op : batch) keys_.prefetch_index(op->key);
  for (const Operation* op : batch) keys_.prefetch_block(op->key);
  for (Operation* op : batch) decide_one(*op, now);
}

void Shard::Impl::decide_one(Operation& op, TimeUs now) {
  op.answer = {};
  if (op.verb == Verb::kThrottle) return decide_by(throttle_rules(op), op, now);
  const Rules* rules = rule_book_.current(op.policy);
  if (rules == nullptr) {
    if (op.verb == Verb::kNote && op.policy == kThrottlePolicy) {
      return decide_by(throttle_rules(op), op, now);
    }
    op.outcome = Outcome::kNoPolicy;
  } else if (!goes_with(op.verb, rules->algorithm)) {
    op.outcome = Outcome::kUnfit;
  } else {
    decide_by(*rules, op, now);
  }
}

void Shard::Impl::decide_by(const Rules& rules, Operation& op, TimeUs now) {
  if (op.verb == Verb::kReset) return reset(rules, op, now);
  const BlockHandle block = keys_.find(op.key);
  if (block != kNoBlock && !fit(op.key, block, rules, now)) return refuse_for_memory(op);

  with_limit_set(rules, [&](auto tag) {
    using Set = typename decltype(tag)::Set;
    KeyHeader* key = block == kNoBlock ? nullptr : &keys_.header(block);
    Set set(keys_.blocks(), rules, key, now);
    switch (op.verb) {
      case Verb::kCheck:
      case Verb::kAcquire:
      case Verb::kThrottle:
        return admit(set, rules, op, block, now);
      case Verb::kCharge:
        return use(set, rules, op, block, now);
      case Verb::kRefund:
      case Verb::kUndo:
      case Verb::kRelease:
        return give_back(set, op, block, now);
      case Verb::kNote:
        return note(set, rules, op, block, now);
      case Verb::kPeek:
      case Verb::kReset:
      case Verb::kRepay:
      case Verb::kLease:
      case Verb::kReturn:
        break;
    }
    op.outcome = Outcome::kDone;
    op.answer = set.describe();
    if (key != nullptr) set.save(*key);
  });
}

template <typename Set>
void Shard::Impl::admit(Set& set, const Rules& rules, Operation& op, BlockHandle block,
                        TimeUs now) {
  if (op.units == 0) {  // kThrottle only looks
    op.outcome = Outcome::kAdmitted;
    op.answer = set.describe();
    return;
  }
  assert(op.units > 0 && op.units <= kUnitsMax);
  if (set.admits(op.units)) [[likely]] {
    return use(set, rules, op, block, now);
  }
  op.outcome = Outcome::kRefused;
  op.answer = set.describe_refusal(op.units);
  if (block == kNoBlock) return;
  KeyHeader& key = keys_.header(block);
  set.save(key);
  note_refusal(key, op.answer, now);
}

template <typename Set>
void Shard::Impl::use(Set& set, const Rules& rules, Operation& op, BlockHandle block, TimeUs now) {
  block = make_ready(set, rules, op, block, now);
  if (block == kNoBlock) return refuse_for_memory(op);
  KeyHeader& key = keys_.header(block);
  set.charge(op.units, op.ttl_us, op.ticket);
  op.outcome = op.verb == Verb::kCharge ? Outcome::kDone : Outcome::kAdmitted;
  op.answer = set.describe();
  set.save(key);
  note_use(key, set, op.answer, now);
}

template <typename Set>
void Shard::Impl::note(Set& set, const Rules& rules, Operation& op, BlockHandle block, TimeUs now) {
  assert(op.units > 0 && op.units <= kUnitsMax);
  op.outcome = Outcome::kDone;
  const BlockHandle ready =
      set.can_use(op.units) ? make_ready(set, rules, op, block, now) : kNoBlock;
  if (ready != kNoBlock) {
    block = ready;
    set.use_up(op.units, op.ttl_us, op.ticket);
  }
  op.answer = set.describe();
  if (block == kNoBlock) return;
  KeyHeader& key = keys_.header(block);
  set.save(key);
  note_use(key, set, op.answer, now);
}

template <typename Set>
BlockHandle Shard::Impl::make_ready(const Set& set, const Rules& rules, const Operation& op,
                                    BlockHandle block, TimeUs now) {
  const bool is_new = block == kNoBlock;
  if (is_new) {
    block = keys_.create(op.key, rules, now);
    if (block == kNoBlock) return kNoBlock;
  }
  if constexpr (Set::kEntries) {
    set.save(keys_.header(block));
    if (!make_room_beside(op.key, block, set.size(), now)) {
      if (is_new) keys_.erase(op.key.tag, block);
      return kNoBlock;
    }
  }
  return block;
}

template <typename Set>
void Shard::Impl::give_back(Set& set, Operation& op, BlockHandle block, TimeUs now) {
  op.outcome = Outcome::kDone;
  if (block == kNoBlock) {
    op.answer = set.describe();
    return;
  }
  if constexpr (Set::kTickets) {
    set.release(op.ticket);
  } else if (op.verb == Verb::kUndo) {
    set.undo(op.units, op.charged_at);
  } else {
    set.refund(op.units);
  }
  op.answer = set.describe();
  KeyHeader& key = keys_.header(block);
  set.save(key);
  note_use(key, set, op.answer, now);
}

void Shard::Impl::reset(const Rules& rules, Operation& op, TimeUs now) {
  const BlockHandle block = keys_.find(op.key);
  if (block != kNoBlock) keys_.erase(op.key.tag, block);
  op.outcome = Outcome::kDone;
  with_limit_set(rules, [&](auto tag) {
    using Set = typename decltype(tag)::Set;
    op.answer = Set(keys_.blocks(), rules, nullptr, now).describe();
  });
}

void Shard::Impl::refuse_for_memory(Operation& op) {
  if (op.verb == Verb::kNote || op.verb == Verb::kRepay) {
    op.outcome = Outcome::kDone;
    return;
  }
  op.outcome = Outcome::kFull;
  ++stats_.full;
}

bool Shard::Impl::make_room_beside(const KeyHash& key, BlockHandle block, size_t blocks,
                                   TimeUs now) {
  KeyHeader& header = keys_.header(block);
  const uint8_t held = header.shape.pinned;
  header.shape.pinned = 1;
  const bool made = keys_.make_room(key.tag, blocks, now);
  header.shape.pinned = held & 1;
  return made;
}

}  // namespace toll::engine
