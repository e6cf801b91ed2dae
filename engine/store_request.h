// A question to the store behind the shards, and its answer.
//
// Owned by whoever asks and linked into the queues of the engine on its way; it must stay where it
// is until it comes back. One worker's thread at a time.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "engine/shard.h"
#include "engine/types.h"

namespace toll::engine {

enum class StoreResult : uint8_t {
  kNone,      // not yet known
  kDecided,   // the operations hold the store's answers
  kPoisoned,  // the store holds something else under one of the keys; nothing was done
  kAway,      // the store did not answer in time, or was not asked
};

// One operation, or the kCheck operations of a group: all or nothing.
struct StoreRequest {
  // In.
  Operation* operations = nullptr;        // `count` of them, side by side
  const std::string_view* ids = nullptr;  // the id of each; good until the request comes back
  int64_t deadline_ns = 0;  // when an answer is due at the latest, by the caller's monotonic clock

  // The queue's.
  StoreRequest* next = nullptr;
  bool sent = false;  // it has left: if it comes back as kAway, the store may have decided it

  void* owner = nullptr;  // the caller's own

  uint8_t count = 1;

  // Out.
  StoreResult result = StoreResult::kNone;

  std::span<Operation> all() const { return {operations, count}; }
};

}  // namespace toll::engine
