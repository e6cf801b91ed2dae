// The simulator's randomness: all of it comes from one seed, forked for each part, so that what one
// part draws does not change what another does.
#pragma once

#include <cassert>
#include <cstdint>

namespace toll::sim {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  // SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
  uint64_t next() {
    state_ += 0x9e3779b97f4a7c15;
    uint64_t word = state_;
    word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9;
    word = (word ^ (word >> 27)) * 0x94d049bb133111eb;
    return word ^ (word >> 31);
  }

  Random fork() { return Random(next()); }

  // REQUIRES: limit > 0.
  uint64_t below(uint64_t limit) {
    assert(limit > 0);
    return next() % limit;
  }
  // Both included.
  int64_t between(int64_t least, int64_t most) {
    assert(least <= most);
    return least + static_cast<int64_t>(below(static_cast<uint64_t>(most - least) + 1));
  }
  // In `percent` of all cases.
  bool chance(uint64_t percent) { return below(100) < percent; }
  // Short mostly, rarely as long as `most`: each power of two is as likely as any other.
  int64_t skewed(int64_t least, int64_t most) {
    int64_t top = most;
    while (top > least + 1 && chance(50)) top = least + (top - least) / 2;
    return between(least, top);
  }

 private:
  uint64_t state_;
};

}  // namespace toll::sim
