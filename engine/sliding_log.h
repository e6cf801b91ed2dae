// The exact rolling window: a log of what was admitted when. An entry of time t counts while
// t > now - window, in whole milliseconds; the twin in Redis is a sorted set scored by
// milliseconds.
//
// The functions are those of engine/algorithms.h, with the block store that holds the entries as
// one more argument, and promise the same. A clock that steps back decides as at the newest entry's
// time until it has caught up. All that happens in one millisecond is one entry.
//
// CHARGE may run into debt by kSlidingLogDebtMax units and no further, less than for other
// algorithms, because each unit may be an entry, and is one in Redis. So a key's log is bounded by
// count + kSlidingLogDebtMax entries, four to a block.
//
// A request of one unit costs the same however long the log; a refused one of many units walks over
// as many of the oldest entries as it must wait for. Touched by the shard's thread alone.
#pragma once

#include <cstdint>

#include "engine/block_store.h"
#include "engine/policy.h"
#include "engine/types.h"
#include "engine/word_queue.h"

namespace toll::engine {

struct SlidingLog {
  struct State {
    WordQueue entries;  // oldest first; the millisecond << 20 | its units
    uint32_t used = 0;  // sum of the units
  };

  static void advance(BlockStore& store, const Limit& limit, State& state, TimeUs now);
  static bool admits(const Limit& limit, const State& state, TimeUs now, int64_t units);
  // REQUIRES: one block reserved in `store`.
  static void charge(BlockStore& store, const Limit& limit, State& state, TimeUs now,
                     int64_t units);
  // Takes from the newest entries first.
  static void refund(BlockStore& store, const Limit& limit, State& state, TimeUs now,
                     int64_t units);
  static int64_t remaining(const Limit& limit, const State& state, TimeUs now);
  static int64_t retry_us(const BlockStore& store, const Limit& limit, const State& state,
                          TimeUs now, int64_t units);
  static int64_t reset_us(BlockStore& store, const Limit& limit, const State& state, TimeUs now);
  static bool idle(const Limit& limit, const State& state, TimeUs now);
  static void carry(const Limit& old_limit, const Limit& limit, State& state, TimeUs now);

  // Frees the entries; the state is a fresh one.
  static void clear(BlockStore& store, State& state);
};

}  // namespace toll::engine
