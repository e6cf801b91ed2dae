// The keys of one shard: the index and the blocks together, within one budget.
//
// A new key may cost others their place: for each key added a few are looked at in turn, and those
// that are as good as fresh are freed; when memory runs out, a handful is drawn from where the new
// key goes in the index, which its keyed hash made a random place. What is expired among them goes
// first, else the one that was not touched for longest and holds no refusal. A client that is over
// its limit therefore stays, however many new ids come.
//
// Internal to the shard; its thread alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/block_store.h"
#include "engine/key_hash.h"
#include "engine/key_index.h"
#include "engine/key_record.h"
#include "engine/memory_budget.h"
#include "engine/rule_book.h"
#include "engine/shard_stats.h"
#include "engine/types.h"

namespace toll::engine {

class KeyTable {
 public:
  // `rules` and `stats` must outlive the table.
  KeyTable(size_t memory_bytes, const RuleBook& rules, ShardStats& stats);

  // Two steps towards a find(): first for all keys of a batch, then the second for all.
  void prefetch_index(const KeyHash& key) const { index_.prefetch(key.tag); }
  void prefetch_block(const KeyHash& key) const {
    const BlockHandle likely = index_.find(key.tag, [](BlockHandle) { return true; });
    if (likely != kNoBlock) blocks_.prefetch(likely);
  }

  // The key's header block, or kNoBlock.
  BlockHandle find(const KeyHash& key) const {
    return index_.find(key.tag, [&](BlockHandle block) { return header(block).rest == key.rest; });
  }

  // Good until the key is erased; adding other keys does not move it.
  KeyHeader& header(BlockHandle block) const { return blocks_.at<KeyHeader>(block); }
  BlockStore& blocks() { return blocks_; }

  // Adds a key with fresh states, or returns kNoBlock when no memory could be found for it.
  // REQUIRES: find(key) == kNoBlock.
  [[nodiscard]] BlockHandle create(const KeyHash& key, const Rules& rules, TimeUs now);

  // Frees the key with all that hangs from it.
  void erase(uint32_t tag, BlockHandle block);

  // Reserves `blocks` blocks, freeing other keys than the pinned ones if it must. `tag`: whose.
  [[nodiscard]] bool make_room(uint32_t tag, size_t blocks, TimeUs now);

  // Frees the entries and tickets that hang from the key's states, which are undefined then.
  void free_entries(KeyHeader& key);

  // Gives the key as many blocks as `shape` takes; its states are undefined then. REQUIRES: blocks
  // reserved for what it lacks.
  void reshape(BlockHandle block, KeyShape shape);

  // Looks at `keys_max` keys from where it last stopped and frees the expired.
  void sweep(TimeUs now, size_t keys_max);

  // Brings the counters up to date that follow from the state.
  void count();

 private:
  // Links the blocks of a new key. REQUIRES: reserved.
  BlockHandle take_chain(size_t blocks);
  void give_chain(BlockHandle first, size_t blocks);
  // Whether the key's states are as good as fresh, so that nobody misses it.
  bool expired(KeyHeader& key, TimeUs now);
  size_t draw(uint32_t tag, bool same_segment, std::span<KeyIndex::Entry> out) const;
  // Frees at least one key; false if all that were drawn must stay.
  bool evict(uint32_t tag, bool same_segment, TimeUs now);
  bool evict_one_of(std::span<const KeyIndex::Entry> entries, TimeUs now);
  bool file(uint32_t tag, BlockHandle block, TimeUs now);

  const RuleBook& rules_;
  ShardStats& stats_;
  MemoryBudget budget_;
  BlockStore blocks_;
  KeyIndex index_;
  KeyIndex::Hand hand_;  // of the sweep
};

}  // namespace toll::engine
