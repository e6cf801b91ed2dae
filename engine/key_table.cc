#include "engine/key_table.h"

#include <cassert>

namespace toll::engine {
namespace {

constexpr size_t kSweptPerAdded = 3;

}  // namespace

KeyTable::KeyTable(size_t memory_bytes, const RuleBook& rules, ShardStats& stats)
    : rules_(rules), stats_(stats), budget_(memory_bytes), blocks_(budget_), index_(budget_) {
  count();
}

BlockHandle KeyTable::create(const KeyHash& key, const Rules& rules, TimeUs now) {
  sweep(now, kSweptPerAdded);
  const KeyShape shape = KeyShape::of(rules);
  const size_t needed = blocks_for(shape);
  if (!make_room(key.tag, needed, now)) return kNoBlock;

  const BlockHandle block = take_chain(needed);
  if (!file(key.tag, block, now)) {
    give_chain(block, needed);
    return kNoBlock;
  }
  KeyHeader& added = header(block);
  added.touched_s = whole_seconds(now);
  added.rest = key.rest;
  added.refused_until_s = 0;
  added.policy = rules.policy;
  added.revision = rules.revision;
  added.shape = shape;
  std::array<std::byte, kStatesBytesMax> fresh{};
  write_states(blocks_, added, {fresh.data(), packed_bytes(shape.what()) * shape.limits()});
  return block;
}

void KeyTable::erase(uint32_t tag, BlockHandle block) {
  KeyHeader& key = header(block);
  free_entries(key);
  index_.erase(tag, block);
  give_chain(block, blocks_for(key.shape));
}

void KeyTable::free_entries(KeyHeader& key) {
  with_algorithm(key.shape.what(), [&](auto algorithm) {
    using A = decltype(algorithm);
    if constexpr (kHasEntries<A>) {
      std::array<typename A::State, kLimitsPerPolicyMax> all{};
      const std::span<typename A::State> states(all.data(), key.shape.limits());
      load_states<A>(blocks_, key, states);
      for (typename A::State& state : states) A::clear(blocks_, state);
    }
  });
}

void KeyTable::reshape(BlockHandle block, KeyShape shape) {
  KeyHeader& key = header(block);
  const size_t held = blocks_for(key.shape);
  const size_t needed = blocks_for(shape);
  shape.pinned = key.shape.pinned;
  key.shape = shape;
  if (held == needed) return;
  if (held > 1) give_chain(key.next, held - 1);
  key.next = needed > 1 ? take_chain(needed - 1) : kNoBlock;
}

BlockHandle KeyTable::take_chain(size_t blocks) {
  BlockHandle first = kNoBlock;
  for (size_t i = 0; i < blocks; ++i) {
    const BlockHandle block = blocks_.take();
    assert(block != kNoBlock);
    blocks_.at<KeyContinuation>(block).next = first;
    first = block;
  }
  return first;
}

void KeyTable::give_chain(BlockHandle first, size_t blocks) {
  BlockHandle last = first;
  for (size_t i = 1; i < blocks; ++i) last = blocks_.next_of(last);
  blocks_.give_chain(first, last, blocks);
}

void KeyTable::count() {
  stats_.keys = index_.size();
  stats_.slots = index_.slots();
  stats_.bytes = budget_.used_bytes();
}

}  // namespace toll::engine
