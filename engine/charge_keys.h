// Idempotency keys that were used within the last day, and what was answered to each: a repeat is
// answered the same and charged nothing.
//
// Keys are kept as 128 bits of a keyed hash. Where the store remembers them too, the oldest make
// room when there are too many; where nobody else does, there is no room then. Belongs to a worker.
// No clock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "engine/key_hash.h"
#include "engine/money.h"
#include "engine/types.h"

namespace toll::engine {

inline constexpr TimeUs kChargeKeyLifeUs = 24LL * 3600 * 1'000'000;

class ChargeKeys {
 public:
  explicit ChargeKeys(size_t keys_max) : keys_max_(keys_max) {}

  // What was answered; nullopt: it is not known to have been used.
  std::optional<NanoDollars> find(const KeyHash& key) const;
  // False: there is no room. `replaces`: the oldest make room. `text` is kept for snapshots: what
  // the key was made of, "" where there are none.
  bool add(const KeyHash& key, NanoDollars answered, TimeUs now, bool replaces,
           std::string_view text = {});
  // What was answered in the end, if the key is still known.
  void answered(const KeyHash& key, NanoDollars spent);
  // The charge could not be kept.
  void remove(const KeyHash& key) { answers_.erase(key); }
  // Forgets those of more than a day ago.
  void expire(TimeUs now);
  size_t size() const { return answers_.size(); }

  // In the order of their use, for snapshots.
  struct Used {
    KeyHash key;
    TimeUs at = 0;
    std::string text;
  };
  // Each has a number, which stays; those before first() are gone.
  uint64_t first() const { return first_; }
  uint64_t end() const { return first_ + used_.size(); }
  const Used& at(uint64_t number) const { return used_[number - first_]; }

 private:
  struct Hash {
    size_t operator()(const KeyHash& key) const { return key.rest; }
  };

  size_t keys_max_;
  std::unordered_map<KeyHash, NanoDollars, Hash> answers_;
  void drop_oldest();

  std::deque<Used> used_;
  uint64_t first_ = 0;
};

}  // namespace toll::engine
