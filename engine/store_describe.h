// From what the script says it did, and what each limit's state was before, to what each client is
// told: the item is done once more, on those states, by the functions that the shard uses.
//
// The script's word is law; where doing it again comes to something else, the reply is not believed
// at all. Any bytes may come: nothing here trusts a number before it has looked at it. Belongs to a
// StoreBatch; its worker's thread alone. No clock, no allocation.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "engine/policy.h"
#include "engine/shard.h"
#include "engine/store_pack.h"
#include "engine/store_request.h"
#include "engine/store_script.h"
#include "engine/types.h"

namespace toll::engine {

inline constexpr uint32_t kNoSlot = UINT32_MAX;

// One operation of a batch, and what was found out about it.
struct StoreSlot {
  uint32_t next = kNoSlot;  // of those answered by the same claim, in order
  uint32_t request = 0;
  uint32_t operation = 0;  // of the request
  StoreResult result = StoreResult::kNone;
  Outcome outcome = Outcome::kDone;
  int64_t units = 0;
  Answer answer;
  int64_t granted = 0;    // kLease: how many units were set aside
  TimeUs lease_ends = 0;  // ... and until when, by the store's clock, they may be given back
};

// What an item asks of one policy for one id, and who wants to know. A check of several policies
// has one of each; several operations on one key are one, with their units added up.
struct StoreClaim {
  ScriptVerb verb = ScriptVerb::kCheck;
  Algorithm algorithm = Algorithm::kGcra;
  bool throttle = false;  // CL.THROTTLE: admitted or refused, also where it only looks
  bool unseen = false;    // nobody looks at the answer
  uint8_t limits = 0;
  uint32_t first_rule = 0;  // of the batch
  uint32_t first_part = 0;
  uint32_t first_slot = kNoSlot;
  uint32_t last_slot = kNoSlot;
  int64_t units = 0;
  int64_t ttl_us = 0;    // kAcquire
  int64_t most = 0;      // kLease: units wanted
  int64_t lease_us = 0;  // ... and for how long
};

// For how long the store holds a lease of which the units are used within `lease_us`: long enough
// for what was not used to come back.
constexpr int64_t lease_held_us(int64_t lease_us) {
  constexpr int64_t kReturnWithinUs = 50'000;
  return lease_us + std::min(lease_us, kReturnWithinUs);
}

enum class Replay : uint8_t {
  kAgrees,
  kRefuses,      // agrees, and this claim is why the item was refused
  kContradicts,  // or the states are none that can be
};

// Reads the states of the claim's limits and fills in the outcomes and answers of its slots. `code`
// is the item's, not below 0. `merged`: each slot is a check of its own, `code` of which were
// admitted, the first ones; otherwise all slots are one.
Replay describe_claim(const StoreClaim& claim, bool merged, std::span<const Limit> limits,
                      int64_t code, TimeUs now, PackReader& reader, std::span<StoreSlot> slots);

}  // namespace toll::engine
