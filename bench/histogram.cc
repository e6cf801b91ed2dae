#include "bench/histogram.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>

namespace toll::bench {
namespace {

constexpr unsigned kOctaveBits = 7;
constexpr uint64_t kPerOctave = uint64_t{1} << kOctaveBits;

// How far a value is shifted so that its eight leading bits remain.
constexpr unsigned shift_of(uint64_t value) {
  const auto width = static_cast<unsigned>(std::bit_width(value));
  return width > kOctaveBits + 1 ? width - (kOctaveBits + 1) : 0;
}

// Continuous over the octaves: the leading 1 of `value >> shift` is the step to the next one.
constexpr size_t bucket_of(uint64_t value) {
  const unsigned shift = shift_of(value);
  return shift * kPerOctave + (value >> shift);
}

constexpr uint64_t upper_end(size_t bucket) {
  if (bucket < 2 * kPerOctave) return bucket;
  const uint64_t shift = bucket / kPerOctave - 1;
  const uint64_t leading = bucket - shift * kPerOctave;
  return ((leading + 1) << shift) - 1;
}

static_assert(bucket_of(255) == 255 && bucket_of(256) == 256 && bucket_of(257) == 256);
static_assert(upper_end(bucket_of(256)) == 257);
static_assert(upper_end(bucket_of(Histogram::kValueMax)) == Histogram::kValueMax);

}  // namespace

Histogram::Histogram() : buckets_(bucket_of(kValueMax) + 1) {}

void Histogram::record(uint64_t value, uint64_t count) {
  const uint64_t bounded = std::min(value, kValueMax);
  buckets_[bucket_of(bounded)] += count;
  count_ += count;
  if (count > 0) max_ = std::max(max_, bounded);
}

void Histogram::merge(const Histogram& other) {
  for (size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    buckets_[bucket] += other.buckets_[bucket];
  }
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
}

void Histogram::clear() {
  std::ranges::fill(buckets_, 0);
  count_ = 0;
  max_ = 0;
}

uint64_t Histogram::quantile(double quantile) const {
  assert(quantile >= 0 && quantile <= 1);
  if (count_ == 0) return 0;
  const double exact_rank = std::ceil(quantile * static_cast<double>(count_));
  const uint64_t rank = std::clamp(static_cast<uint64_t>(exact_rank), uint64_t{1}, count_);
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    seen += buckets_[bucket];
    if (seen >= rank) return std::min(upper_end(bucket), max_);
  }
  return max_;
}

}  // namespace toll::bench
