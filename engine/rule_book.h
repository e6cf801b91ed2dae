// What a shard needs of the policies to decide: each policy's algorithm and this host's share of
// its limits, now and under the revisions before, because a key's state is fitted to a new revision
// only when it is next touched, and several reloads may lie between.
//
// A revision is a set of limits, so it counts changes of the share as well as of the policy. One
// that comes back while it is still known, as when a host leaves the fleet and returns, is the
// revision that it was: keys that slept meanwhile need no fitting.
//
// Owned by a shard, touched by its thread alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/policy.h"

namespace toll::engine {

// One revision of one policy. A view: whoever hands it out owns the limits.
struct Rules {
  uint16_t policy = 0;
  uint8_t revision = 0;
  Algorithm algorithm = Algorithm::kGcra;
  std::span<const Limit> limits;
};

// The policy number of keys that have none: CL.THROTTLE brings its limit with each request.

class RuleBook {
 public:
  // Older revisions of one policy that are kept. A key that slept through more starts afresh.
  static constexpr size_t kPastMax = 15;

  // Takes over what `table` says, for one of `hosts` that share what is not of Mode::kLocal: counts
  // and bursts divided by their number, rounded down, at least 1. REQUIRES: hosts > 0; the tables
  // adopted are each the one before or built from it.
  void adopt(const PolicyTable& table, uint32_t hosts);

  // The policy's rules in force, or null if it is unknown or was removed. Good until adopt().
  const Rules* current(uint16_t policy) const {
    return policy < entries_.size() && entries_[policy].active ? &entries_[policy].rules : nullptr;
  }

  // The policy's rules as they were under `revision`, also of a removed one; null if no longer
  // known.
  const Rules* of(uint16_t policy, uint8_t revision) const;

 private:
  struct Kept {
    std::vector<Limit> limits;
    Rules rules;
  };
  struct Entry {
    Rules rules;  // of kept.back(), one step nearer
    bool active = false;
    uint8_t newest = 0;      // the revision numbered last, modulo 256
    std::vector<Kept> kept;  // in order of last use, the last one in force; empty: never seen
  };

  static void bring_to(Entry& entry, const Policy& policy, std::vector<Limit> limits);

  std::vector<Entry> entries_;  // by policy id
};

}  // namespace toll::engine
