// Where a shard finds a key's header block: from the key's 32-bit tag to block handles, by open
// addressing.
//
//   tag  | top bits | ............ | low bits |        directory          segments
//        `----------'              `----------'        +---+   +----------------------+
//         which slot                home slot          | o-+-->| {tag, block} ...     |
//         of the directory          in the segment     | o-+-->+----------------------+
//                                                      | o-+-.
//                                                      | o-+--`->{tag, block} ...
//                                                      +---+
//
// Extendible hashing (Fagin, Nievergelt, Pippenger and Strong, 1979): the index grows by splitting
// one full segment of 8 KiB in two, which needs only the tags stored in it, and a few microseconds.
// Now and then the directory, a table of pointers, doubles. Two emptied neighbours become one
// again, and the memory returns to the budget. Within a segment: linear probing, and deletion by
// shifting back, so that there are no tombstones and a search ends at the first empty slot.
//
// The index knows nothing of what the blocks hold: telling apart keys of equal tags is the
// caller's. Owned by a shard, touched by its thread alone.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/block_store.h"
#include "engine/memory_budget.h"

namespace toll::engine {

// `kSegmentBits`: a segment has 2^kSegmentBits slots; tests take few. Instantiated in the .cc.
template <uint32_t kSegmentBits>
class KeyIndexOf {
 public:
  struct Entry {
    uint32_t tag;
    BlockHandle block;  // kNoBlock: an empty slot
  };

  // A place on a walk over all entries that goes on while the index changes: every entry that stays
  // is met once a round, but one that moves meanwhile may be missed or met twice.
  struct Hand {
    uint32_t tag = 0;   // a tag of the segment it is in
    uint32_t slot = 0;  // the next slot to look at
  };

  static constexpr uint32_t kSlots = uint32_t{1} << kSegmentBits;
  static constexpr uint32_t kUsedMax = kSlots / 8 * 7;    // longer probes past it
  static constexpr uint32_t kMergedMax = kSlots / 8 * 3;  // far from both a split and emptiness

  // `budget` must outlive the index and have room for the first segment.
  explicit KeyIndexOf(MemoryBudget& budget);
  ~KeyIndexOf();
  KeyIndexOf(const KeyIndexOf&) = delete;
  KeyIndexOf& operator=(const KeyIndexOf&) = delete;

  // Hints the processor to fetch the slots that find(tag) will read.
  void prefetch(uint32_t tag) const { __builtin_prefetch(&segment_of(tag).slots[tag & kSlotMask]); }

  // The block filed under `tag` for which `match(block)` holds, or kNoBlock.
  template <typename Match>
  BlockHandle find(uint32_t tag, Match&& match) const {
    const Segment& segment = segment_of(tag);
    for (uint32_t slot = tag & kSlotMask;; slot = (slot + 1) & kSlotMask) {
      const Entry entry = segment.slots[slot];
      if (entry.block == kNoBlock) return kNoBlock;
      if (entry.tag == tag && match(entry.block)) return entry.block;
    }
  }

  // Files `block` under `tag`; equal tags may be filed many times. False, and nothing is changed:
  // the tag's segment is full and cannot be split (no memory, or too many tags in it are alike);
  // erasing any entry that sample(tag) shows makes room. REQUIRES: block != kNoBlock.
  [[nodiscard]] bool insert(uint32_t tag, BlockHandle block);

  // REQUIRES: `block` is filed under `tag`.
  void erase(uint32_t tag, BlockHandle block);

  // The next entry on the hand's round, or an empty one if it is not among the next `slots` slots;
  // what was looked at is taken off `slots`.
  Entry next(Hand& hand, size_t& slots) const;

  // Fills `out` with entries of the tag's segment, from its home slot on; returns how many.
  size_t sample(uint32_t tag, std::span<Entry> out) const;

  size_t size() const { return size_; }
  size_t segments() const { return segments_.size(); }
  size_t slots() const { return segments_.size() * kSlots; }

 private:
  static constexpr uint32_t kSlotMask = kSlots - 1;
  static constexpr uint32_t kDepthMax = 32 - kSegmentBits;  // no bit serves both purposes
  // With random tags the directory is at most a few times as long as there are segments. Refusing
  // more bounds what tags that are all alike can cost.
  static constexpr size_t kDirectoryPerSegmentMax = 16;

  struct Segment {
    uint32_t depth = 0;  // how many top bits all its tags share
    uint32_t used = 0;
    size_t position = 0;  // in segments_
    alignas(64) std::array<Entry, kSlots> slots{};
  };
  static constexpr size_t kSegmentBytes = sizeof(Segment) + sizeof(std::unique_ptr<Segment>);

  Segment& segment_of(uint32_t tag) const { return *directory_[directory_slot(tag)]; }
  size_t directory_slot(uint32_t tag) const {
    return static_cast<size_t>(uint64_t{tag} >> (32 - depth_));
  }
  size_t directory_span(uint32_t depth) const { return size_t{1} << (depth_ - depth); }

  static void place(Segment& segment, Entry entry);
  Segment* allocate(uint32_t depth);
  void release(Segment& segment);
  bool double_directory();
  bool split(uint32_t tag);
  void merge(uint32_t tag);

  MemoryBudget& budget_;
  uint32_t depth_ = 0;               // the directory has 2^depth_ slots
  std::vector<Segment*> directory_;  // owns nothing: several slots may share a segment
  std::vector<std::unique_ptr<Segment>> segments_;
  size_t size_ = 0;
};

using KeyIndex = KeyIndexOf<10>;

}  // namespace toll::engine
