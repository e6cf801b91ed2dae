// What each worker counts, for STATS, HEALTH and the metrics page.
//
// Every counter has one writer, its worker, so adding is a plain load and store; readers on other
// threads see each counter somewhat late but never torn.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "engine/hot_keys.h"
#include "engine/limits.h"
#include "engine/types.h"
#include "net/redis_link.h"
#include "net/redis_reply.h"
#include "net/spsc_ring.h"

namespace toll::daemon {

class Counter {
 public:
  void add(uint64_t amount = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  void set(uint64_t value) { value_.store(value, std::memory_order_relaxed); }
  uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// How many figures were at most each of some bounds, which rise, and above the bound before.
template <const auto& kBoundsOf>
class Histogram {
 public:
  static constexpr const auto& kBounds = kBoundsOf;
  static constexpr size_t kBuckets = kBoundsOf.size() + 1;  // the last has no bound

  void add(uint64_t figure) {
    size_t bucket = kFirst[static_cast<size_t>(std::bit_width(figure))];
    while (bucket < kBounds.size() && figure > kBounds[bucket]) ++bucket;
    buckets_[bucket].add();
    sum_.add(figure);
  }
  uint64_t bucket(size_t index) const { return buckets_[index].get(); }
  uint64_t sum() const { return sum_.get(); }
  uint64_t count() const {
    uint64_t count = 0;
    for (const Counter& bucket : buckets_) count += bucket.get();
    return count;
  }

 private:
  // Of the least figure of so many bits.
  static constexpr auto kFirst = [] {
    std::array<uint8_t, 65> first{};
    for (size_t bits = 1; bits < first.size(); ++bits) {
      while (first[bits] < kBounds.size() && uint64_t{1} << (bits - 1) > kBounds[first[bits]]) {
        ++first[bits];
      }
    }
    return first;
  }();

  std::array<Counter, kBuckets> buckets_;
  Counter sum_;
};

inline constexpr std::array<uint64_t, 14> kTimeBoundsUs = {
    50,     100,    250,    500,     1'000,   2'500,   5'000,
    10'000, 25'000, 50'000, 100'000, 250'000, 500'000, 1'000'000};
inline constexpr std::array<uint64_t, 11> kSizeBounds = {1,   2,   5,   10,    20,   50,
                                                         100, 200, 500, 1'000, 2'000};
using TimesUs = Histogram<kTimeBoundsUs>;
using Sizes = Histogram<kSizeBounds>;

// CL.THROTTLE has no policy. No policy's name can have a bracket in it.
inline constexpr std::string_view kThrottleLabel = "(throttle)";

// The decisions on one policy.
struct alignas(net::kCacheLineBytes) DecisionCounters {
  std::array<Counter, engine::kSources> refused;
  std::array<Counter, engine::kSources> admitted;
};

// The same for all policies there ever were, by their ids. Rows are added and never go, so that
// readers need not wait.
class PolicyCounters {
 public:
  // Makes room for the ids below `count`, which must be below kPoliciesMax; allocates. The owner.
  void cover(size_t count) {
    for (size_t id = kept_.size(); id < count; ++id) {
      kept_.push_back(std::make_unique<DecisionCounters>());
      rows_[id].store(kept_.back().get(), std::memory_order_release);
    }
  }
  // REQUIRES: covered, or kThrottlePolicy. The owner.
  void add(uint16_t policy, bool admitted, engine::Source source) {
    DecisionCounters& row = policy == engine::kThrottlePolicy ? throttle_ : *kept_[policy];
    (admitted ? row.admitted : row.refused)[static_cast<size_t>(source)].add();
  }
  // Null: not covered. Any thread.
  const DecisionCounters* find(uint16_t policy) const {
    if (policy == engine::kThrottlePolicy) return &throttle_;
    return rows_[policy].load(std::memory_order_acquire);
  }
  // Of all policies, by one source. Any thread.
  uint64_t sum(bool admitted, engine::Source source) const {
    const auto of = [&](const DecisionCounters& row) {
      return (admitted ? row.admitted : row.refused)[static_cast<size_t>(source)].get();
    };
    uint64_t sum = of(throttle_);
    for (const auto& slot : rows_) {
      const DecisionCounters* row = slot.load(std::memory_order_acquire);
      if (row == nullptr) break;
      sum += of(*row);
    }
    return sum;
  }
  uint64_t sum(bool admitted) const {
    uint64_t all = 0;
    for (size_t i = 0; i < engine::kSources; ++i) {
      all += sum(admitted, static_cast<engine::Source>(i));
    }
    return all;
  }

 private:
  std::array<std::atomic<const DecisionCounters*>, engine::kPoliciesMax> rows_{};
  std::vector<std::unique_ptr<DecisionCounters>> kept_;
  DecisionCounters throttle_;  // CL.THROTTLE, which has no policy
};

// Calls of one kind to Redis.
struct CallCounters {
  Counter sent;
  TimesUs answered;                                   // how long it took, errors too
  std::array<Counter, net::kRedisErrorKinds> errors;  // by RedisErrorKind
  Counter malformed;                                  // answers that are none to the call
  std::array<Counter, net::kCallLosses> lost;         // by CallLoss
};

inline uint64_t sum(std::span<const Counter> counters) {
  uint64_t all = 0;
  for (const Counter& each : counters) all += each.get();
  return all;
}

struct alignas(net::kCacheLineBytes) WorkerCounters {
  Counter connections_handed;  // by the acceptor, to all workers
  Counter connections_opened;
  Counter connections_closed;
  Counter connections_refused;  // past server.max_clients
  Counter requests;
  Counter errors;
  Counter forwarded;                                  // questions asked of another worker's shard
  Counter doorbells;                                  // times another worker had to be woken
  Counter stalls;                                     // times a session had to wait with reading
  PolicyCounters decisions;                           // on limits
  std::array<TimesUs, engine::kSources> check_times;  // of them, from being read to being answered
  engine::HotKeys hot_keys;                           // that they were about
  // The store behind the shards.
  CallCounters store_calls;  // batches
  Sizes store_batches;       // the requests in each of them
  Counter store_merged;      // requests that needed no place of their own in one
  Counter store_away;        // requests that had to be answered without it
  Counter store_full;        // ... because too many waited for it
  Counter store_poisoned;    // ... because it holds something else under their key
  Counter store_repaid;      // charges for what was used without it
  Counter leases_asked;
  Counter lease_units;  // that the store set aside
  Counter lease_units_returned;
  Counter lease_units_lapsed;  // too few to be sent back
  Counter lease_units_lost;    // that could not be
  Counter lease_units_held;
  Counter store_ready;  // 1: the link is made
  Counter breaker_trips;
  // Costs.
  Counter budget_admitted;  // decisions on budgets
  Counter budget_refused;
  Counter costs_accepted;    // charges
  Counter costs_applied;     // ... that Redis has
  Counter costs_oldest_us;   // when the oldest that Redis may lack was accepted; 0: none
  Counter costs_duplicates;  // times that Redis had charges already
  Counter costs_gaps;        // times that it had not what ours were to follow
  Counter costs_rewinds;     // times that Redis may have forgotten, and the journal was sent again
  Counter costs_given_up;    // accounts whose charges Redis could not add
  CallCounters costs_calls;
  Counter costs_by_ledger;            // questions answered without Redis
  Counter costs_fenced;               // 1: another daemon has our name
  Counter costs_unsafe;               // 1: Redis evicts any key
  std::array<TimesUs, 2> cost_times;  // answers by the journal or the ledger, and by Redis
  // Log records.
  Counter logs_pushed;    // acknowledged
  Counter logs_refused;   // neither Redis nor the disk took them
  Counter logs_popped;    // given out
  Counter logs_returned;  // ... and not delivered: they are in the queue again
  Counter logs_dropped;   // the oldest, where the queue was full
  Counter logs_spilled;   // to the disk
  Counter logs_drained;   // from there to Redis
  Counter logs_calls;     // to Redis
  Counter logs_errors;    // ... that it answered with an error
  Counter logs_lost;      // ... and that got no reply
  // Events.
  Counter watchers;     // connections that watch
  Counter events_sent;  // to all of them
  Counter events_lost;  // that they were too slow for
  // Of the loop.
  Counter turn_since_ns;  // when the turn under way began, by the monotonic clock; 0: it sleeps
  Counter long_turns;     // that kept all else waiting
  Counter long_turns_us;
  // Copied from the shard and the loop once a turn.
  Counter keys;
  Counter key_bytes;
  Counter key_slots;
  Counter expired;
  Counter evicted;
  Counter full;
  Counter turns;
  Counter starved;
  Counter overflows;
};

// The control thread's.
struct ReloadCounters {
  Counter done;
  Counter refused;
  Counter good;       // 1: the last one was done
  Counter loaded_us;  // when what is in force was read, since the Unix epoch
};

}  // namespace toll::daemon
