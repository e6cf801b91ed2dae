// A log-linear histogram: counts of values in buckets whose width grows with the value, so that
// every quantile of a run is known to better than 1 % from a few kilobytes, however long the run.
//
// Values below 128 have a bucket each; every octave above is cut into 128 equal ones:
//
//   0 1 2 ... 127 | 128 129 ... 255 | 256 258 ... 510 | 512 516 ... 1020 | ...
//
// A plain value, one thread. Recording is a shift and an increment; nothing allocates after
// construction. Knows no unit: the bench records nanoseconds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace toll::bench {

class Histogram {
 public:
  // Larger values are counted as this one; as nanoseconds, a little over an hour.
  static constexpr uint64_t kValueMax = (uint64_t{1} << 42) - 1;

  Histogram();

  // Counts `value` as often as `count` says.
  void record(uint64_t value, uint64_t count = 1);
  void merge(const Histogram& other);
  void clear();

  uint64_t count() const { return count_; }
  uint64_t max() const { return max_; }  // exact; 0 when empty

  // The smallest recorded value that at least the part `quantile` (0 to 1) of all values do not
  // exceed, as the upper end of its bucket: never below the true one, at most 1/128 above it. 0
  // when empty.
  uint64_t quantile(double quantile) const;

 private:
  std::vector<uint64_t> buckets_;
  uint64_t count_ = 0;
  uint64_t max_ = 0;
};

}  // namespace toll::bench
