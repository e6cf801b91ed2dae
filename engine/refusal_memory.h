// Refusals that the store gave and that cannot have changed yet, so that a client hammering past
// its limit costs the store nothing.
//
// Belongs to a worker, beside its shard. A table of fixed size, several places to a bucket: where a
// bucket is full one that has ended goes, else the one that ends soonest. To forget is always
// right: the store is asked again. Nothing here allocates after the constructor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/key_hash.h"
#include "engine/types.h"

namespace toll::engine {

class RefusalMemory {
 public:
  // `bytes` is rounded down to a power of two of entries, at least one bucket.
  explicit RefusalMemory(size_t bytes);

  // `units` of `key` were refused with `answer`, by a call that was sent and answered at these
  // times of this host's clock. The store decided after `sent`, so until sent + retry nothing can
  // have come back; and before `answered`, so whoever is told to wait until answered + retry has
  // waited long enough. Believed for `most_us` from `sent` and no longer; that is also how long
  // kNever is.
  void note(const KeyHash& key, int64_t units, const Answer& answer, TimeUs sent, TimeUs answered,
            int64_t most_us);

  // The answer for the same request at `now`, its waits counted down, if it is still certain.
  // More units than were refused are certain to be refused too, but for how long is not known: no
  // answer. Less: not known either. Nor is anything known at a time before `sent`, to which only a
  // clock that stepped back can lead.
  std::optional<Answer> recall(const KeyHash& key, int64_t units, TimeUs now) const;

  // Units may have come back to that key, or its limits have changed. What was refused by a call
  // sent before must not be noted after.
  void forget(const KeyHash& key);
  void forget_all();

  size_t size(TimeUs now) const;  // entries still certain; walks over all, for tests and STATS

 private:
  // A cache line.
  struct alignas(64) Entry {
    KeyHash key;
    uint32_t units = 0;  // 0: the place is free
    bool never = false;  // the wait is kNever, whenever it ends
    int32_t limit = 0;
    int32_t remaining = 0;
    TimeUs sent = 0;
    TimeUs ends_at = 0;   // until then it is certain
    TimeUs retry_at = 0;  // ... which may be before a client should come again
    TimeUs reset_at = 0;

    bool is_of(const KeyHash& other, int64_t other_units) const {
      return key == other && int64_t{units} == other_units;
    }
    bool certain_at(TimeUs now) const { return units > 0 && sent <= now && now < ends_at; }
  };
  static_assert(sizeof(Entry) == 64);
  static constexpr size_t kBucketEntries = 8;

  std::span<Entry> bucket_of(const KeyHash& key);
  std::span<const Entry> bucket_of(const KeyHash& key) const;

  std::vector<Entry> entries_;
  size_t bucket_mask_ = 0;
};

}  // namespace toll::engine
