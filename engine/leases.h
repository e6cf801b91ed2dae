// Slices: units that the store has set aside for this host, and that are used up here without
// asking it again.
//
// A key's slice is asked for when the key is in demand: for what it used in the last while, and for
// no more than a part of what the store has left for it, so that near the limit nothing is set
// aside and every request is the store's own. While one slice is used up the next is on its way. A
// slice ages: what was not used by its end goes back.
//
//   take() ──▶ from a slice
//      └─────▶ the store, and by the way: ask_for ──▶ grant() ──▶ slice ──▶ take(), take() ...
//                                                                   └── age() ──▶ given back
//
// Where a slice is one of few things that keep a limit from coming back, and nearly used up, its
// rest is not worth a call: it lapses.
//
// Never over: units are used only until their slice's end, which counts from when it was asked for;
// the store holds them for longer, as lua/limits.lua says, and takes back nothing later than that.
// What a crash, a lost call or a late return leaves set aside is forgotten by the store as if it
// had been used.
//
// Sources: capacity leases as in Gray and Cheriton, "Leases" (SOSP 1989); slices by demand as
// Doorman has them (github.com/youtube/doorman, doc/design.md).
//
// Belongs to a worker. A fixed table of entries: a key takes the place of one that has no slice and
// is in the least demand. No I/O, no clock: times are the caller's monotonic microseconds.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/policy.h"
#include "engine/shard.h"
#include "engine/types.h"

namespace toll::engine {

class Leases {
 public:
  // For how long a slice may be used: a hundredth of the policy's shortest window, between these.
  // For as long again the store holds it, and of a full bucket as much is lost once. Where there is
  // plenty a slice may live for longer. Policies with a shorter window than the least are not
  // leased.
  static constexpr int64_t kLifeMinUs = 10'000;
  static constexpr int64_t kLifeMaxUs = 100'000;
  static constexpr int64_t kHorizonMinUs = 200'000;
  static constexpr int64_t kSliceUnitsMax = int64_t{1} << 20;

  // What goes back to the store.
  struct Return {
    KeyHash key;
    uint16_t policy = 0;
    uint64_t revision = 0;  // of the policy
    std::string_view id;    // good during the call
    int64_t units = 0;
    TimeUs until = 0;     // by the store's clock; later it is too late
    bool scarce = false;  // others may have been refused for it
  };
  class Owner {
   public:
    virtual void give_back(const Return& what) = 0;
    // So many units were not used and are not given back: they come back by themselves.
    virtual void lapsed(int64_t units) = 0;
    // Units of that key were used here, which nobody has counted yet.
    virtual void used(const KeyHash& key, uint16_t policy, int64_t units) = 0;

   protected:
    ~Owner() = default;
  };

  struct Taken {
    bool from_slice = false;  // the operation was admitted; its answer is filled in
    int64_t ask_for = 0;      // units of a slice to ask for; grant() or not_granted() must follow
    int64_t life_us = 0;      // ... and for how long
    uint32_t serial = 0;      // ... to be handed back with them
    bool on_its_way = false;  // not from a slice, but one was asked for before: by ...
    uint32_t call = 0;
  };

  struct Granted {
    int64_t units = 0;
    TimeUs sent = 0;      // when it was asked for
    int64_t life_us = 0;  // from then on
    TimeUs until = 0;     // by the store's clock, for a return
    uint32_t serial = 0;  // that Taken told
  };

  // `bytes` is rounded down to a power of two of entries, at least one bucket.
  Leases(Owner& owner, size_t bytes);

  // Decides by this table from now on, as one of so many hosts. All slices of policies that are not
  // as they were are given back first, under the old rules.
  void adopt(const PolicyTable& table);
  void share_with(uint32_t hosts) { hosts_ = hosts; }

  // Whether take() may be called for that policy.
  bool leases(uint16_t policy) const { return policy < terms_.size() && terms_[policy].leased(); }

  // Ahead of take(), for several keys at a time: the first of all of them, then the second.
  void prefetch_tags(const KeyHash& key) const;
  void prefetch_entry(const KeyHash& key) const;

  // A kCheck of one key. Demand is counted here.
  // `call` is what later questions are told, if this one is to ask for a slice.
  Taken take(Operation& op, std::string_view id, TimeUs now, uint32_t call);
  // Of a slice that came meanwhile; false: it has not as many units.
  bool use(Operation& op, TimeUs now);
  // The store has decided a check of that key itself.
  void decided(const Operation& op);

  // The answer to what take() asked for; `answer` is as if all of it were used.
  void grant(const KeyHash& key, const Granted& granted, const Answer& answer, TimeUs now);
  // There was none, or it is not known whether. `left`: what the store has for the key, if it said.
  void not_granted(const KeyHash& key, uint32_t serial, std::optional<int64_t> left);

  // The key starts afresh: what is set aside for it is no more.
  void drop(const KeyHash& key);
  // Slices that have come to their end.
  void age(TimeUs now);
  TimeUs next_end() const { return ends_.empty() ? INT64_MAX : ends_.front().at; }
  // All of them, now. Nothing is asked for afterwards.
  void give_all_back();

  int64_t units_held() const { return units_held_; }

 private:
  // Of a policy.
  struct Terms {
    uint8_t revision = 0;
    int64_t life_us = 0;
    int64_t ample_life_us = 0;  // where there is plenty
    int64_t comes_back = 0;     // units a second
    bool forgets = false;       // what is used comes back bit by bit, and not when a window ends
    bool leased() const { return life_us > 0; }
  };
  struct Slice {
    int64_t units = 0;
    TimeUs ends = 0;   // the caller's clock
    TimeUs until = 0;  // the store's
  };
  // What every request needs comes first, in two cache lines.
  struct alignas(64) Entry {
    std::array<Slice, 2> slices;  // the first ends first; if it is empty, so is the other
    int64_t asked = 0;            // units, after ...
    TimeUs since = 0;
    int64_t demand = 0;  // units a second, in the periods before
    int64_t used = 0;    // of slices, and not told yet
    int64_t left = 0;    // in the store, as it said last
    int64_t limit = 0;
    TimeUs reset_at = 0;
    uint32_t call = 0;  // what asks for a slice
    uint16_t policy = 0;
    bool taken = false;   // by a key
    bool asking = false;  // a slice is on its way; until it is here the entry stays
    KeyHash key;
    uint32_t serial = 0;  // of the key's coming here, or of its last drop
    std::string id;
  };
  struct End {
    TimeUs at = 0;
    uint32_t place = 0;
    bool operator<(const End& other) const { return at > other.at; }  // the first on top
  };
  static constexpr size_t kBucketEntries = 8;
  // Of each entry of a bucket, so that those of other keys need not be looked at.
  using Tags = std::array<uint64_t, kBucketEntries>;

  static Terms terms_of(const Policy& policy);
  // Nobody misses what a slice of this key keeps from coming back.
  bool is_ample(const Entry& entry, int64_t demand) const;
  size_t bucket_of(const KeyHash& key) const { return key.tag & bucket_mask_; }
  Entry& entry_at(size_t bucket, size_t place) { return entries_[bucket * kBucketEntries + place]; }
  Entry* find(const KeyHash& key);
  // Null: every place it could have is of a key that has a slice or waits for one.
  Entry* find_or_add(const Operation& op, std::string_view id, TimeUs now);
  static void count(Entry& entry, int64_t units, TimeUs now);
  static int64_t demand_of(const Entry& entry, int64_t units, TimeUs now);
  static void next_slice(Entry& entry);
  static int64_t units_of(const Entry& entry, TimeUs now);
  bool use(Entry& entry, Operation& op, TimeUs now);
  void spend(Entry& entry, int64_t units, TimeUs now);
  void want(Entry& entry, int64_t units, TimeUs now, uint32_t call, Taken& taken) const;
  void end(Entry& entry, Slice& slice, TimeUs now);
  void give_back(Entry& entry, Slice& slice);
  void give_back_all(Entry& entry);
  void forget(Entry& entry);
  void tell_used(Entry& entry);

  Owner& owner_;
  std::vector<Entry> entries_;
  std::vector<Tags> tags_;  // by bucket; of free entries what was there before
  size_t bucket_mask_ = 0;
  std::vector<End> ends_;     // a heap
  std::vector<Terms> terms_;  // by policy
  uint32_t hosts_ = 1;
  uint32_t serial_ = 0;
  bool over_ = false;
  int64_t units_held_ = 0;
};

}  // namespace toll::engine
