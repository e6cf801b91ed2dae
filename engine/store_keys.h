// The keys of one batch: each once, found by its text, and numbered for the call.
//
// An open-addressing map over the bytes of the names, which lie one behind the other in one buffer.
// All memory is kept from batch to batch. Belongs to a StoreBatch; its worker's thread alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/key_hash.h"
#include "engine/key_name.h"
#include "engine/policy.h"

namespace toll::engine {

inline constexpr uint32_t kNoItem = UINT32_MAX;

struct StoreKey {
  uint64_t hash = 0;
  uint32_t offset = 0;  // of the name in the buffer
  uint32_t length = 0;
  uint32_t slot = 0;    // of the map
  uint32_t number = 0;  // in KEYS, from 1; assigned by number_all()
  uint32_t rule = 0;    // the one rule that decides it in this batch
  uint32_t last_item = kNoItem;
  Algorithm algorithm = Algorithm::kGcra;
  uint64_t identity = 0;  // of policy, id, limit and window, the same in all batches
  bool renew = false;     // a sliding log whose TTL is to be renewed
  bool alone = true;      // no more than one item names it
  bool quick = false;     // ... and that is a quick one
};

class StoreKeys {
 public:
  StoreKeys();

  void clear();

  // Names are hashed with a secret, since ids are chosen by strangers: with `key`'s own hash, which
  // was made with the process' secret. Only the first call counts.
  void take_secret(const KeyHash& key);

  // The place of that limit's key for `id`; added, under `rule`, if it is not there. A token
  // bucket's is its :tokens key; :last goes with it. REQUIRES: take_secret() was called.
  uint32_t find_or_add(const KeyNames& names, size_t limit, std::string_view id,
                       Algorithm algorithm, uint32_t rule);

  StoreKey& operator[](uint32_t place) { return keys_[place]; }
  const StoreKey& operator[](uint32_t place) const { return keys_[place]; }
  std::span<StoreKey> all() { return keys_; }
  uint32_t size() const { return static_cast<uint32_t>(keys_.size()); }
  size_t bytes() const { return names_.size(); }

  // Forgets the keys that were added after there were `size` of them.
  void cut_back_to(uint32_t size);

  // What an entry takes of bytes() beside the names.
  static size_t bytes_beside(Algorithm algorithm, size_t name);

  // Numbers the keys in the order in which the script wants them, strings first, and lays out their
  // names. Returns how many strings there are. Once, after the last find_or_add() and after it is
  // known which keys are quick items'.
  struct Strings {
    size_t quick = 0;
    size_t all = 0;
  };
  Strings number_all();
  // As numbered. Good until clear().
  std::span<const std::string_view> texts() const { return texts_; }

 private:
  std::string_view name_of(const StoreKey& key) const {
    return std::string_view(names_).substr(key.offset, key.length);
  }
  void grow();

  std::optional<KeyHasher> hasher_;
  std::string names_;
  std::vector<StoreKey> keys_;
  std::vector<uint32_t> map_;  // a place and one, 0 is empty; a power of two, at most half full
  std::vector<std::string_view> texts_;
};

}  // namespace toll::engine
