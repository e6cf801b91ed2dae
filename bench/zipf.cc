#include "bench/zipf.h"

#include <cassert>
#include <cmath>

namespace toll::bench {

ZipfSampler::ZipfSampler(uint32_t ranks, double exponent) : threshold_(ranks), alias_(ranks) {
  assert(ranks > 0 && exponent >= 0);
  double total = 0;
  // Smallest first, so that the many small terms are not lost beside the large ones.
  for (uint32_t rank = ranks; rank-- > 0;) {
    threshold_[rank] = std::pow(static_cast<double>(rank) + 1, -exponent);
    total += threshold_[rank];
  }

  // Scaled to a mean of 1, each rank is poorer or richer than a column is high. The rest of a poor
  // rank's column is given to a rich one, which is poorer by as much, until all columns are full.
  std::vector<uint32_t> poor;
  std::vector<uint32_t> rich;
  for (uint32_t rank = 0; rank < ranks; ++rank) {
    threshold_[rank] *= ranks / total;
    alias_[rank] = rank;
    (threshold_[rank] < 1 ? poor : rich).push_back(rank);
  }
  while (!poor.empty() && !rich.empty()) {
    const uint32_t receiver = rich.back();
    alias_[poor.back()] = receiver;
    threshold_[receiver] -= 1 - threshold_[poor.back()];
    poor.pop_back();
    if (threshold_[receiver] < 1) {
      rich.pop_back();
      poor.push_back(receiver);
    }
  }
  // What is left differs from 1 by rounding alone, and is its own alias.
}

}  // namespace toll::bench
