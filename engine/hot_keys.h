// The keys that are decided on most, found in bounded memory: the Space-Saving sketch (Metwally,
// Agrawal and El Abbadi, "Efficient computation of frequent and top-k elements in data streams",
// ICDT 2005), fed by a random sample of the decisions.
//
// There are kHotKeys counters. A key that has none takes over the smallest, and what that had
// counted becomes the new one's error: a key's true count is between count - error and count, and
// whatever has more than a kHotKeys-th of all samples has a counter.
//
// Has one writer, a worker; allocates nothing. Any thread may read: each word is an atomic of its
// own, so a reader sees figures that are at most a sample apart. Keeps no ids, only hashes under
// the process' own random key.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/key_hash.h"

namespace toll::engine {

inline constexpr size_t kHotKeys = 64;
inline constexpr uint32_t kHotSampleEvery = 64;  // decisions, on average
// Fewer samples than this are not halved: they would say nothing any more.
inline constexpr uint64_t kHotAgeSamplesMin = 512;

class HotKeys {
 public:
  HotKeys() = default;
  HotKeys(const HotKeys&) = delete;
  HotKeys& operator=(const HotKeys&) = delete;

  // The writer's. Where the random distances begin.
  void seed(uint64_t seed) { random_ = seed | 1; }

  // Is this decision one of the sample? To be asked once for each; the distance between two is
  // random, so that no rhythm of the requests falls in with it. The writer.
  bool due() {
    if (--left_ != 0) [[likely]]
      return false;
    left_ = next_distance();
    return true;
  }

  // Counts the key once. The writer.
  void add(uint16_t policy, const KeyHash& key);

  // Forgets half, so that what is hot is what was hot lately. The writer.
  void age();

  struct Counted {
    uint64_t word;   // policy and hash, see policy_of() and hash_of()
    uint64_t count;  // samples that were surely its own
  };
  // What has counted for sure, appended to `out`, and how many samples there were. Any thread.
  uint64_t read(std::vector<Counted>& out) const;

  static uint16_t policy_of(uint64_t word) { return static_cast<uint16_t>(word >> kHashBits); }
  // 48 bits, which are 12 hexadecimal digits.
  static uint64_t hash_of(uint64_t word) { return word & ((uint64_t{1} << kHashBits) - 1); }

 private:
  static constexpr unsigned kHashBits = 48;
  using Word = std::atomic<uint64_t>;

  uint32_t next_distance();
  size_t find_smallest();

  uint32_t left_ = kHotSampleEvery;
  uint64_t random_ = 1;
  uint64_t least_ = 0;    // no count is smaller
  size_t looked_at_ = 0;  // all counts before are above the least
  // Apart, because they are looked through one after the other.
  std::array<Word, kHotKeys> words_{};
  std::array<Word, kHotKeys> counts_{};
  std::array<Word, kHotKeys> errors_{};
  Word samples_{0};
};

struct HotKey {
  uint16_t policy;
  uint64_t hash;  // 48 bits
  double share;   // of all decisions lately, 0 to 1; never too much
};

// The hottest over several sketches, at most `most`, the hottest first. Allocates; any thread.
std::vector<HotKey> hottest(std::span<const HotKeys* const> sketches, size_t most);

}  // namespace toll::engine
