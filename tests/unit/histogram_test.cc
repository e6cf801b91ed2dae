#include "bench/histogram.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <vector>

#include "bench/random.h"

namespace toll::bench {
namespace {

uint64_t true_quantile(const std::vector<uint64_t>& sorted, double quantile) {
  const double rank = std::ceil(quantile * static_cast<double>(sorted.size()));
  return sorted[static_cast<size_t>(std::max(rank, 1.0)) - 1];
}

TEST(Histogram, AnEmptyOneHasNoFigures) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.max(), 0U);
  EXPECT_EQ(histogram.quantile(0.5), 0U);
}

TEST(Histogram, SmallValuesAreExact) {
  Histogram histogram;
  for (uint64_t value = 1; value <= 100; ++value) histogram.record(value);
  EXPECT_EQ(histogram.quantile(0), 1U);
  EXPECT_EQ(histogram.quantile(0.5), 50U);
  EXPECT_EQ(histogram.quantile(0.99), 99U);
  EXPECT_EQ(histogram.quantile(1), 100U);
}

TEST(Histogram, EveryValueIsKnownToOnePercent) {
  // Around each power of two, where buckets change their width.
  for (unsigned bit = 0; bit < 42; ++bit) {
    for (int64_t offset = -2; offset <= 2; ++offset) {
      const int64_t value = (int64_t{1} << bit) + offset;
      if (value < 0) continue;
      Histogram histogram;
      histogram.record(static_cast<uint64_t>(value));
      histogram.record(Histogram::kValueMax);  // so that max does not stand in for the bucket
      const auto known = static_cast<double>(histogram.quantile(0.5));
      EXPECT_GE(known, static_cast<double>(value));
      EXPECT_LE(known, static_cast<double>(value) * 1.01) << value;
    }
  }
}

TEST(Histogram, QuantilesOfAWideDistributionAreWithinOnePercent) {
  Random random(7);
  Histogram histogram;
  std::vector<uint64_t> values;
  for (int draw = 0; draw < 50'000; ++draw) {
    const auto value = static_cast<uint64_t>(std::exp(random.unit() * 25));
    values.push_back(value);
    histogram.record(value);
  }
  std::ranges::sort(values);
  for (const double quantile : {0.0, 0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0}) {
    const auto expected = static_cast<double>(true_quantile(values, quantile));
    const auto known = static_cast<double>(histogram.quantile(quantile));
    EXPECT_GE(known, expected) << quantile;
    EXPECT_LE(known, expected * 1.01) << quantile;
  }
  EXPECT_EQ(histogram.max(), values.back());
}

TEST(Histogram, ManyOfOneValueCountLikeSoManyRecords) {
  Histogram histogram;
  histogram.record(1'000, 99);
  histogram.record(1'000'000);
  EXPECT_EQ(histogram.count(), 100U);
  EXPECT_LE(histogram.quantile(0.99), 1'010U);
  EXPECT_EQ(histogram.quantile(1), 1'000'000U);
}

TEST(Histogram, AValuePastTheEndIsCountedAtTheEnd) {
  Histogram histogram;
  histogram.record(UINT64_MAX);
  EXPECT_EQ(histogram.count(), 1U);
  EXPECT_EQ(histogram.max(), Histogram::kValueMax);
  EXPECT_EQ(histogram.quantile(1), Histogram::kValueMax);
}

TEST(Histogram, MergedOnesAreLikeOneThatSawBoth) {
  Histogram first;
  Histogram second;
  Histogram both;
  for (uint64_t value = 1; value < 10'000; value += 3) {
    (value % 2 == 0 ? first : second).record(value);
    both.record(value);
  }
  first.merge(second);
  EXPECT_EQ(first.count(), both.count());
  EXPECT_EQ(first.max(), both.max());
  EXPECT_EQ(first.quantile(0.7), both.quantile(0.7));
}

TEST(Histogram, AClearedOneForgetsAll) {
  Histogram histogram;
  histogram.record(5);
  histogram.clear();
  histogram.record(3);
  EXPECT_EQ(histogram.count(), 1U);
  EXPECT_EQ(histogram.max(), 3U);
}

}  // namespace
}  // namespace toll::bench
