// Requests in flight: a list of tickets, each with its units, its number and the time at which it
// returns by itself. A ticket counts while it expires after now, in whole milliseconds; the twin in
// Redis is a sorted set scored by expiry.
//
// The functions are those of engine/algorithms.h where they apply, with the block store that holds
// the tickets as one more argument. The list is in order of expiry, so what lapsed is at its front
// and the soonest and the last are at hand. With one ttl for all, as usual, a new ticket goes to
// the end at once; a shorter ttl is sorted in from the end, and a release is looked for from the
// front: both walk over other tickets, of which there are at most kConcurrencyLimitMax. Touched by
// the shard's thread alone.
#pragma once

#include <cstdint>

#include "engine/block_store.h"
#include "engine/policy.h"
#include "engine/types.h"

namespace toll::engine {

struct Concurrency {
  struct State {
    BlockHandle first = kNoBlock;  // the soonest to lapse
    BlockHandle last = kNoBlock;
    uint32_t tickets = 0;
    uint32_t used = 0;  // sum of the tickets' units
  };

  // Takes back what lapsed. A clock that steps back only keeps tickets for longer.
  static void advance(BlockStore& store, const Limit& limit, State& state, TimeUs now);
  static bool admits(const Limit& limit, const State& state, TimeUs now, int64_t units);
  // Hands out `ticket`, a number that no other ticket of this key has, for `ttl_us`, or for the
  // limit's own time if that is 0. REQUIRES: admits(), and one block reserved in `store`.
  static void acquire(BlockStore& store, const Limit& limit, State& state, TimeUs now,
                      int64_t units, int64_t ttl_us, uint64_t ticket);
  // Takes `ticket` back. False: it is unknown, or lapsed already.
  static bool release(BlockStore& store, State& state, uint64_t ticket);
  // Never negative, also when a reload made the limit less than what is in flight.
  static int64_t remaining(const Limit& limit, const State& state, TimeUs now);
  static int64_t retry_us(const BlockStore& store, const Limit& limit, const State& state,
                          TimeUs now, int64_t units);
  static int64_t reset_us(const BlockStore& store, const Limit& limit, const State& state,
                          TimeUs now);
  static bool idle(const Limit& limit, const State& state, TimeUs now);
  static void carry(const Limit& old_limit, const Limit& limit, State& state, TimeUs now);

  // Frees the tickets; the state is a fresh one.
  static void clear(BlockStore& store, State& state);
};

}  // namespace toll::engine
