// What each worker counts, for STATS and HEALTH.
//
// Every counter has one writer, its worker, so adding is a plain load and store; readers on other
// threads see each counter somewhat late but never torn.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "engine/types.h"
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

struct alignas(net::kCacheLineBytes) WorkerCounters {
  Counter connections_handed;  // by the acceptor, to all workers
  Counter connections_opened;
  Counter connections_closed;
  Counter connections_refused;  // past server.max_clients
  Counter requests;
  Counter allowed;
  Counter denied;
  Counter errors;
  Counter forwarded;                                // questions asked of another worker's shard
  Counter doorbells;                                // times another worker had to be woken
  Counter stalls;                                   // times a session had to wait with reading
  std::array<Counter, engine::kSources> by_source;  // decisions
  // The store behind the shards.
  Counter store_calls;     // batches sent
  Counter store_requests;  // ... and the requests in them
  Counter store_errors;    // errors that it answered
  Counter store_lost;      // calls that got no reply
  Counter store_away;      // requests that had to be answered without it
  Counter store_full;      // ... because too many waited for it
  Counter store_poisoned;  // ... because it holds something else under their key
  Counter store_repaid;    // charges for what was used without it
  Counter store_ready;     // 1: the link is made
  Counter breaker_trips;
  // Costs.
  Counter costs_accepted;    // charges
  Counter costs_applied;     // ... that Redis has
  Counter costs_duplicates;  // times that Redis had charges already
  Counter costs_rewinds;     // times that Redis may have forgotten, and the journal was sent again
  Counter costs_given_up;    // accounts whose charges Redis could not add
  Counter costs_calls;
  Counter costs_errors;
  Counter costs_lost;       // calls without a reply
  Counter costs_by_ledger;  // questions answered without Redis
  Counter costs_fenced;     // 1: another daemon has our name
  Counter costs_unsafe;     // 1: Redis evicts any key
  // Log records.
  Counter logs_pushed;    // acknowledged
  Counter logs_refused;   // neither Redis nor the disk took them
  Counter logs_popped;    // given out
  Counter logs_returned;  // ... and not delivered: they are in the queue again
  Counter logs_dropped;   // the oldest, where the queue was full
  Counter logs_spilled;   // to the disk
  Counter logs_drained;   // from there to Redis
  Counter logs_rescued;   // ... though the disk had counted them as dropped
  Counter logs_calls;
  Counter logs_errors;
  Counter logs_lost;  // calls without a reply
  // Copied from the shard and the loop once a turn.
  Counter keys;
  Counter key_bytes;
  Counter expired;
  Counter evicted;
  Counter full;
  Counter turns;
  Counter starved;
  Counter overflows;
};

}  // namespace toll::daemon
