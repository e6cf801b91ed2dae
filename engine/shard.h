// A shard: the counts of the keys that one worker owns, and the decisions on them.
//
// A shard belongs to one worker and is touched by its thread alone: no locks, no atomics. It is
// handed a batch of operations and the time, and fills in what was decided. It does no I/O and
// keeps no ids: a key is 96 bits of its keyed hash, beside those that chose the worker.
//
// Memory: an index of 8-byte entries that grows by splitting one small segment at a time
// (engine/key_index.h), and one kind of 40-byte block that everything else is chained from
// (engine/block_store.h), so that memory freed by any key serves any other. One gcra key takes one
// block. The budget covers both. At the budget, a new key takes the place of an expired one, else
// of the coldest of a handful that hold no refusal: a client over its limit is never freed by a
// flood of new ids. When nothing can be freed the new key is answered Outcome::kFull.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "engine/key_hash.h"
#include "engine/policy.h"
#include "engine/shard_stats.h"
#include "engine/types.h"

namespace toll::engine {

enum class Verb : uint8_t {
  kCheck,     // admit and charge, or refuse
  kPeek,      // describe; uses nothing, creates nothing
  kRefund,    // give back
  kUndo,      // give back what a kCheck has just charged, unless its window is over by now
  kCharge,    // use, into debt if need be
  kReset,     // forget
  kAcquire,   // concurrency: take a ticket
  kRelease,   // concurrency: return one; an unknown or lapsed ticket is not an error
  kThrottle,  // CL.THROTTLE: gcra with the limit carried by the request; 0 units only look
  // Count what the store decided: use, but never past the limit. A limit that has less left is used
  // up, a ticket is taken if it fits. Never refused; left out in silence where a new key finds no
  // memory. Also for CL.THROTTLE, with kThrottlePolicy and `throttle`.
  kNote,
  // For the store only: charge it for what was used while it was away. A shard, which counted that
  // at the time, answers kDone and does nothing.
  kRepay,
  // For the store only: set aside up to `units` for this host (engine/leases.h), and give back what
  // of it was not used.
  kLease,
  kReturn,
};

enum class Outcome : uint8_t {
  kAdmitted,     // kCheck, kAcquire, kThrottle: yes
  kRefused,      // ... no, and nothing was charged
  kDone,         // the other verbs
  kNoPolicy,     // the policy is not in this shard's table (it was removed meanwhile)
  kUnfit,        // this verb does not go with the policy's algorithm
  kFull,         // no memory left for a new key, or for one more entry or ticket; nothing was done
  kUnavailable,  // never a shard's: the store is needed and away, and nobody may answer without it
};

// One question to a shard, and its answer. Owned by the caller; not kept after the call. What is
// asked comes first and fits 56 bytes, so that a question that crosses cores takes two cache lines.
struct Operation {
  // In.
  KeyHash key;
  Verb verb = Verb::kCheck;
  uint16_t policy = 0;  // not for kThrottle
  int64_t units = 1;    // 1..kUnitsMax; kThrottle: 0..kUnitsMax
  union {
    int64_t ttl_us = 0;  // kAcquire, kNote: the ticket's life; 0 is the policy's
    TimeUs charged_at;   // kUndo: the time of the check
    // kLease: in, how long they may be used; out, and kReturn: until when they may be given back,
    // by the store's clock.
    int64_t lease_us;
  };
  union {
    uint64_t ticket =
        0;              // kAcquire, kNote: the new ticket's number, unique, not 0; kRelease: which
    int64_t granted;    // kLease, out: how many were set aside. Its answer's retry_us tells for
                        // how long after the call was sent they may be used
    uint64_t revision;  // kReturn: the policy's, when they were set aside
  };
  const Limit* throttle = nullptr;  // CL.THROTTLE: the limit, of make_limit() and without fault

  // Out.
  Answer answer;  // of the limit with the least remaining or, refused, of the longest wait
  Outcome outcome = Outcome::kDone;
};

class Shard {
 public:
  struct Settings {
    size_t memory_bytes = size_t{256} << 20;  // the budget; at least 64 KiB
  };

  explicit Shard(Settings settings);
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  // From now on decide by `table`, as one of `hosts` that share its limits: what is not of
  // Mode::kLocal is decided by its limits divided by their number. Counts stay; a key's state is
  // fitted on its next touch. Copies what it needs of the table, which must be the one adopted
  // before or built from it. REQUIRES: hosts > 0. CL.THROTTLE's limits are decided by as they come.
  void adopt(const std::shared_ptr<const PolicyTable>& table, uint32_t hosts = 1);

  // Decides the operations one after the other, in order. Prefetches over the batch, so hand in
  // what a turn of the loop collected, not one at a time. Allocates only when keys are added.
  void decide(std::span<Operation* const> batch, TimeUs now);
  // The same for operations that lie side by side.
  void decide(std::span<Operation> batch, TimeUs now);

  // All or nothing: kCheck operations that are charged together if every one is admitted, and not
  // at all otherwise. Two operations on the same key are charged one after the other. True: all are
  // kAdmitted. False: nothing was charged; each operation's outcome says whether it alone would
  // have been refused.
  bool decide_together(std::span<Operation> group, TimeUs now);

  // Takes back the memory of expired keys, looking at no more than `keys_max` keys from where it
  // last stopped. For idle turns; decide() also does a little of it for every key it adds.
  void sweep(TimeUs now, size_t keys_max);

  const ShardStats& stats() const { return stats_; }

 private:
  class Impl;  // engine/shard_impl.h
  ShardStats stats_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace toll::engine
