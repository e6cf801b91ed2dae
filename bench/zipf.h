// Zipf's distribution over ranks 0 to n-1: rank k has a probability in proportion to 1/(k+1)^s.
//
// Exact to the rounding of a double, by the alias method (Walker 1977, tables built as in Vose, "A
// linear algorithm for generating random numbers with a given distribution", 1991): a sample is two
// random numbers and one look-up. The tables take 12 bytes a rank and are never changed
// after construction: any thread may sample with a Random of its own.
#pragma once

#include <cstdint>
#include <vector>

#include "bench/random.h"

namespace toll::bench {

class ZipfSampler {
 public:
  // REQUIRES: ranks > 0, exponent >= 0 (0 is the uniform distribution).
  ZipfSampler(uint32_t ranks, double exponent);

  uint32_t sample(Random& random) const {
    const uint32_t column = random.below(static_cast<uint32_t>(threshold_.size()));
    return random.unit() < threshold_[column] ? column : alias_[column];
  }

 private:
  std::vector<double> threshold_;  // the part of a column that is its own rank's
  std::vector<uint32_t> alias_;    // whose the rest is
};

}  // namespace toll::bench
