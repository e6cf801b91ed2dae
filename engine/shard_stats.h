// Plain counters of one shard, read by the worker that owns it.
#pragma once

#include <cstdint>

namespace toll::engine {

struct ShardStats {
  uint64_t keys = 0;     // held now
  uint64_t bytes = 0;    // taken from the budget now
  uint64_t slots = 0;    // of the index that finds them, which grows before it is full
  uint64_t expired = 0;  // keys freed because nothing was used any more
  uint64_t evicted = 0;  // keys freed for memory while something was still used
  uint64_t full = 0;     // operations answered kFull
};

}  // namespace toll::engine
