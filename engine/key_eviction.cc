// The part of KeyTable that finds memory for new keys at the expense of old ones.
#include <algorithm>
#include <array>

#include "engine/key_table.h"

namespace toll::engine {
namespace {

constexpr size_t kDrawnMax = 64;        // keys looked at to free one
constexpr size_t kDrawnTogether = 16;   // ... of which so many at first: enough to find a cold one
constexpr size_t kSlotsPerDraw = 4096;  // slots looked at to draw them, where the index is sparse
constexpr size_t kEvictionsMax = 16;    // draws to make room for one key
constexpr size_t kSweptTogether = 8;    // keys whose blocks are fetched side by side

// A key of CL.THROTTLE keeps no limit, and whether it is idle does not depend on one.
const Limit kAnyLimit = make_limit(1, 1, kWindowMinUs);

bool holds_refusal(const KeyHeader& key, TimeUs now) {
  return int64_t{key.refused_until_s} * 1'000'000 > now;
}

bool is_warm(const KeyHeader& key, TimeUs now) {
  return int64_t{key.touched_s} + kWarmSeconds > whole_seconds(now);
}

template <typename A>
bool all_idle(BlockStore& store, KeyHeader& key, std::span<const Limit> limits, TimeUs now) {
  std::array<typename A::State, kLimitsPerPolicyMax> all{};
  const std::span<typename A::State> states(all.data(), limits.size());
  load_states<A>(store, key, states);
  bool idle = true;
  for (size_t i = 0; i < limits.size(); ++i) {
    if constexpr (kHasEntries<A>) {
      A::advance(store, limits[i], states[i], now);
    } else {
      A::advance(limits[i], states[i], now);
    }
    idle = idle && A::idle(limits[i], states[i], now);
  }
  // Entries that have lapsed are freed already, though the key may stay.
  store_states<A>(store, key, states);
  return idle;
}

}  // namespace

bool KeyTable::make_room(uint32_t tag, size_t blocks, TimeUs now) {
  for (size_t tries = 0; !blocks_.reserve(blocks); ++tries) {
    if (tries == kEvictionsMax || !evict(tag, false, now)) return false;
  }
  return true;
}

// Files a new key in the index, where its segment may be full and unable to grow.
bool KeyTable::file(uint32_t tag, BlockHandle block, TimeUs now) {
  for (size_t tries = 0; !index_.insert(tag, block); ++tries) {
    if (tries == kEvictionsMax || !evict(tag, true, now)) return false;
  }
  return true;
}

void KeyTable::sweep(TimeUs now, size_t keys_max) {
  keys_max = std::min(keys_max, index_.size());
  std::array<KeyIndex::Entry, kSweptTogether> entries;
  while (keys_max > 0) {
    size_t met = 0;
    // Never more than there are, or one would be met twice.
    const size_t wanted = std::min({keys_max, entries.size(), index_.size()});
    for (size_t slots = kSlotsPerDraw; met < wanted; ++met) {
      entries[met] = index_.next(hand_, slots);
      if (entries[met].block == kNoBlock) break;
      blocks_.prefetch(entries[met].block);
    }
    size_t freed = 0;
    for (const KeyIndex::Entry& entry : std::span(entries).first(met)) {
      KeyHeader& key = header(entry.block);
      if (is_warm(key, now) || !expired(key, now)) continue;
      erase(entry.tag, entry.block);
      ++freed;
    }
    stats_.expired += freed;
    // Entries behind an erased one moved up, past the hand.
    hand_.slot -= static_cast<uint32_t>(std::min<size_t>(hand_.slot, freed));
    keys_max -= std::max<size_t>(met, 1);
  }
}

bool KeyTable::expired(KeyHeader& key, TimeUs now) {
  if (key.shape.pinned) return false;
  if (key.policy == kThrottlePolicy) return all_idle<Gcra>(blocks_, key, {&kAnyLimit, 1}, now);
  const Rules* rules = rules_.of(key.policy, key.revision);
  // Made under rules that are forgotten: it would start afresh when touched.
  if (rules == nullptr || !key.shape.fits(*rules)) return true;
  return with_algorithm(rules->algorithm, [&](auto algorithm) {
    return all_idle<decltype(algorithm)>(blocks_, key, rules->limits, now);
  });
}

// Draws keys from the tag's place in the index on: of its segment only, or going on to others.
size_t KeyTable::draw(uint32_t tag, bool same_segment, std::span<KeyIndex::Entry> out) const {
  if (same_segment) return index_.sample(tag, out);
  KeyIndex::Hand hand{tag, tag % KeyIndex::kSlots};
  size_t slots = std::min(index_.slots(), kSlotsPerDraw);  // not more than one round: none twice
  size_t drawn = 0;
  for (; drawn < out.size(); ++drawn) {
    out[drawn] = index_.next(hand, slots);
    if (out[drawn].block == kNoBlock) break;
  }
  return drawn;
}

bool KeyTable::evict(uint32_t tag, bool same_segment, TimeUs now) {
  std::array<KeyIndex::Entry, kDrawnMax> drawn;
  std::span<const KeyIndex::Entry> left(drawn.data(), draw(tag, same_segment, drawn));
  while (!left.empty()) {
    const auto some = left.first(std::min(left.size(), kDrawnTogether));
    if (evict_one_of(some, now)) return true;
    left = left.subspan(some.size());
  }
  return false;
}

// Frees all that are expired, or else the coldest.
bool KeyTable::evict_one_of(std::span<const KeyIndex::Entry> entries, TimeUs now) {
  for (const KeyIndex::Entry& entry : entries) blocks_.prefetch(entry.block);
  const KeyIndex::Entry* coldest = nullptr;
  bool freed = false;
  for (const KeyIndex::Entry& entry : entries) {
    KeyHeader& key = header(entry.block);
    if (key.shape.pinned) continue;
    if (expired(key, now)) {
      erase(entry.tag, entry.block);
      ++stats_.expired;
      freed = true;
    } else if (!freed && !holds_refusal(key, now)) {
      if (coldest == nullptr || key.touched_s < header(coldest->block).touched_s) coldest = &entry;
    }
  }
  if (freed) return true;
  if (coldest == nullptr) return false;
  erase(coldest->tag, coldest->block);
  ++stats_.evicted;
  return true;
}

}  // namespace toll::engine
