// Random numbers for a load that can be had again from its seed: SplitMix64 (Steele, Lea, Flood,
// "Fast splittable pseudorandom number generators", 2014). Not for secrets. A plain value.
#pragma once

#include <cstdint>

namespace toll::bench {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    state_ += 0x9e3779b97f4a7c15;
    uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    return mixed ^ (mixed >> 31);
  }

  // 0 to bound - 1, with a bias below 2^-32. REQUIRES: bound > 0.
  uint32_t below(uint32_t bound) {
    return static_cast<uint32_t>((next() >> 32) * uint64_t{bound} >> 32);
  }

  // 0 to 1, without 1, in steps of 2^-53.
  double unit() { return static_cast<double>(next() >> 11) * 0x1p-53; }

 private:
  uint64_t state_;
};

}  // namespace toll::bench
