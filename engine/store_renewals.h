// When the TTLs of sliding logs were last renewed, as far as is remembered: renewing one costs the
// store as much as the rest of a decision, and a TTL of two windows need not be renewed each time.
//
// A direct-mapped table of a megabyte, which all batches of a queue share; to forget is always
// right. A worker's thread alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/types.h"

namespace toll::engine {

class StoreRenewals {
 public:
  static constexpr size_t kEntries = 65'536;  // a power of two
  static constexpr int64_t kWindowMinUs = 1'000'000;

  StoreRenewals() : entries_(kEntries) {}

  // Whether the log of that hash, which is the same in all batches, is due. With a TTL of two
  // windows, renewed at most half a window before an entry is made, each entry is kept for its
  // window; the other half is for what `now` is behind the store's clock when the call comes there.
  // For the shortest windows that may not do.
  bool due(uint64_t hash, int64_t window_us, TimeUs now) const {
    const Entry& entry = entries_[hash % kEntries];
    return window_us < kWindowMinUs || entry.hash != hash || now < entry.at ||
           now - entry.at >= window_us / 2;
  }

  // `at` by the store's clock, once it has said that it did.
  void renewed(uint64_t hash, TimeUs at) { entries_[hash % kEntries] = {hash, at}; }

 private:
  struct Entry {
    uint64_t hash = 0;
    TimeUs at = 0;
  };
  std::vector<Entry> entries_;
};

}  // namespace toll::engine
