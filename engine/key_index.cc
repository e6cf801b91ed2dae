#include "engine/key_index.h"

#include <algorithm>
#include <cassert>

namespace toll::engine {

template <uint32_t kSegmentBits>
KeyIndexOf<kSegmentBits>::KeyIndexOf(MemoryBudget& budget) : budget_(budget) {
  [[maybe_unused]] const bool taken = budget_.take(sizeof(Segment*));
  assert(taken);
  directory_.push_back(allocate(0));
  assert(directory_[0] != nullptr);
}

template <uint32_t kSegmentBits>
KeyIndexOf<kSegmentBits>::~KeyIndexOf() {
  budget_.give(directory_.size() * sizeof(Segment*) + segments_.size() * kSegmentBytes);
}

template <uint32_t kSegmentBits>
bool KeyIndexOf<kSegmentBits>::insert(uint32_t tag, BlockHandle block) {
  assert(block != kNoBlock);
  while (segment_of(tag).used >= kUsedMax) {
    if (!split(tag)) return false;
  }
  place(segment_of(tag), {tag, block});
  ++size_;
  return true;
}

template <uint32_t kSegmentBits>
void KeyIndexOf<kSegmentBits>::erase(uint32_t tag, BlockHandle block) {
  Segment& segment = segment_of(tag);
  uint32_t hole = tag & kSlotMask;
  while (segment.slots[hole].block != block) {
    assert(segment.slots[hole].block != kNoBlock);
    hole = (hole + 1) & kSlotMask;
  }
  // An entry may fill the hole if that does not put it before its home slot.
  for (uint32_t slot = (hole + 1) & kSlotMask;; slot = (slot + 1) & kSlotMask) {
    const Entry entry = segment.slots[slot];
    if (entry.block == kNoBlock) break;
    const uint32_t from_home = (slot - entry.tag) & kSlotMask;
    const uint32_t from_hole = (slot - hole) & kSlotMask;
    if (from_home < from_hole) continue;
    segment.slots[hole] = entry;
    hole = slot;
  }
  segment.slots[hole] = {};
  --segment.used;
  --size_;
  if (segment.used <= kMergedMax / 2) merge(tag);
}

template <uint32_t kSegmentBits>
typename KeyIndexOf<kSegmentBits>::Entry KeyIndexOf<kSegmentBits>::next(Hand& hand,
                                                                        size_t& slots) const {
  const Segment* segment = &segment_of(hand.tag);
  for (; slots > 0; --slots) {
    if (hand.slot >= kSlots) {
      const uint64_t tags = uint64_t{1} << (32 - segment->depth);
      hand.tag = static_cast<uint32_t>((hand.tag & ~(tags - 1)) + tags);  // wraps to the first
      hand.slot = 0;
      segment = &segment_of(hand.tag);
    }
    const Entry entry = segment->slots[hand.slot++];
    if (entry.block == kNoBlock) continue;
    --slots;
    return entry;
  }
  return {};
}

template <uint32_t kSegmentBits>
size_t KeyIndexOf<kSegmentBits>::sample(uint32_t tag, std::span<Entry> out) const {
  const Segment& segment = segment_of(tag);
  size_t found = 0;
  for (uint32_t looked = 0; looked < kSlots && found < out.size(); ++looked) {
    const Entry entry = segment.slots[(tag + looked) & kSlotMask];
    if (entry.block != kNoBlock) out[found++] = entry;
  }
  return found;
}

template <uint32_t kSegmentBits>
void KeyIndexOf<kSegmentBits>::place(Segment& segment, Entry entry) {
  uint32_t slot = entry.tag & kSlotMask;
  while (segment.slots[slot].block != kNoBlock) slot = (slot + 1) & kSlotMask;
  segment.slots[slot] = entry;
  ++segment.used;
}

template <uint32_t kSegmentBits>
typename KeyIndexOf<kSegmentBits>::Segment* KeyIndexOf<kSegmentBits>::allocate(uint32_t depth) {
  if (!budget_.take(kSegmentBytes)) return nullptr;
  segments_.push_back(std::make_unique<Segment>());
  Segment* segment = segments_.back().get();
  segment->depth = depth;
  segment->position = segments_.size() - 1;
  return segment;
}

template <uint32_t kSegmentBits>
void KeyIndexOf<kSegmentBits>::release(Segment& segment) {
  const size_t position = segment.position;
  segments_.back()->position = position;
  std::swap(segments_[position], segments_.back());
  segments_.pop_back();
  budget_.give(kSegmentBytes);
}

template <uint32_t kSegmentBits>
bool KeyIndexOf<kSegmentBits>::double_directory() {
  if (depth_ == kDepthMax) return false;
  if (directory_.size() >= kDirectoryPerSegmentMax * segments_.size()) return false;
  // Both tables live until the pointers are copied.
  const size_t old_size = directory_.size();
  if (!budget_.take(2 * old_size * sizeof(Segment*))) return false;
  std::vector<Segment*> doubled(2 * old_size);
  for (size_t slot = 0; slot < old_size; ++slot) {
    doubled[2 * slot] = doubled[2 * slot + 1] = directory_[slot];
  }
  directory_ = std::move(doubled);
  ++depth_;
  budget_.give(old_size * sizeof(Segment*));
  return true;
}

template <uint32_t kSegmentBits>
bool KeyIndexOf<kSegmentBits>::split(uint32_t tag) {
  if (segment_of(tag).depth == depth_ && !double_directory()) return false;
  Segment& low = segment_of(tag);
  Segment* high = allocate(low.depth + 1);
  if (high == nullptr) return false;

  const uint32_t high_bit = uint32_t{1} << (31 - low.depth);
  const size_t span = directory_span(low.depth);
  const size_t first = directory_slot(tag) & ~(span - 1);
  std::fill_n(directory_.begin() + static_cast<ptrdiff_t>(first + span / 2), span / 2, high);

  const std::array<Entry, kSlots> entries = low.slots;
  low.slots.fill({});
  low.used = 0;
  ++low.depth;
  for (const Entry& entry : entries) {
    if (entry.block != kNoBlock) place((entry.tag & high_bit) != 0 ? *high : low, entry);
  }
  return true;
}

// Makes the tag's segment and its buddy, the one that differs in the last shared bit, one again if
// both together are nearly empty. The directory keeps its length.
template <uint32_t kSegmentBits>
void KeyIndexOf<kSegmentBits>::merge(uint32_t tag) {
  Segment& segment = segment_of(tag);
  if (segment.depth == 0) return;
  Segment& buddy = segment_of(tag ^ (uint32_t{1} << (32 - segment.depth)));
  if (buddy.depth != segment.depth || segment.used + buddy.used > kMergedMax) return;

  for (const Entry& entry : buddy.slots) {
    if (entry.block != kNoBlock) place(segment, entry);
  }
  --segment.depth;
  const size_t span = directory_span(segment.depth);
  const size_t first = directory_slot(tag) & ~(span - 1);
  std::fill_n(directory_.begin() + static_cast<ptrdiff_t>(first), span, &segment);
  release(buddy);
}

template class KeyIndexOf<10>;
template class KeyIndexOf<4>;  // for tests: splits and merges every few keys

}  // namespace toll::engine
