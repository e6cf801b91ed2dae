#include "bench/zipf.h"

#include <cmath>
#include <gtest/gtest.h>
#include <vector>

namespace toll::bench {
namespace {

constexpr uint64_t kSeed = 42;

std::vector<double> expected_parts(uint32_t ranks, double exponent) {
  std::vector<double> parts(ranks);
  double total = 0;
  for (uint32_t rank = 0; rank < ranks; ++rank) {
    parts[rank] = std::pow(rank + 1.0, -exponent);
    total += parts[rank];
  }
  for (double& part : parts) part /= total;
  return parts;
}

// Pearson's chi-square of `draws` samples, in standard deviations from what chance gives: with n
// ranks the sum has a mean of n-1 and a variance of about 2(n-1).
double chi_square_deviations(uint32_t ranks, double exponent, uint32_t draws) {
  const ZipfSampler sampler(ranks, exponent);
  Random random(kSeed);
  std::vector<uint32_t> drawn(ranks);
  for (uint32_t draw = 0; draw < draws; ++draw) ++drawn.at(sampler.sample(random));
  const std::vector<double> parts = expected_parts(ranks, exponent);
  double sum = 0;
  for (uint32_t rank = 0; rank < ranks; ++rank) {
    const double expected = parts[rank] * draws;
    sum += (drawn[rank] - expected) * (drawn[rank] - expected) / expected;
  }
  return (sum - (ranks - 1)) / std::sqrt(2.0 * (ranks - 1));
}

TEST(Zipf, SamplesFollowTheDistribution) {
  for (const double exponent : {0.5, 0.99, 1.0, 1.5}) {
    EXPECT_LT(std::abs(chi_square_deviations(100, exponent, 1'000'000)), 5) << exponent;
  }
}

TEST(Zipf, AnExponentOfZeroIsUniform) {
  EXPECT_LT(std::abs(chi_square_deviations(1'000, 0, 1'000'000)), 5);
}

TEST(Zipf, AWrongExponentWouldBeSeen) {
  // What the test above can tell apart: 1 % off in the exponent is far outside of chance.
  const ZipfSampler sampler(100, 1.01);
  Random random(kSeed);
  const std::vector<double> parts = expected_parts(100, 1.0);
  double sum = 0;
  std::vector<uint32_t> drawn(100);
  for (int draw = 0; draw < 1'000'000; ++draw) ++drawn.at(sampler.sample(random));
  for (size_t rank = 0; rank < 100; ++rank) {
    const double expected = parts[rank] * 1e6;
    sum += (drawn[rank] - expected) * (drawn[rank] - expected) / expected;
  }
  EXPECT_GT((sum - 99) / std::sqrt(2.0 * 99), 5);
}

TEST(Zipf, OneRankIsAlwaysThatOne) {
  const ZipfSampler sampler(1, 1.2);
  Random random(kSeed);
  for (int draw = 0; draw < 1'000; ++draw) EXPECT_EQ(sampler.sample(random), 0U);
}

TEST(Zipf, NoRankIsOutsideOfALargeRange) {
  const ZipfSampler sampler(1'000'000, 0.8);
  Random random(kSeed);
  uint32_t largest = 0;
  for (int draw = 0; draw < 200'000; ++draw) largest = std::max(largest, sampler.sample(random));
  EXPECT_LT(largest, 1'000'000U);
  EXPECT_GT(largest, 900'000U);
}

TEST(Zipf, TheSameSeedDrawsTheSame) {
  const ZipfSampler sampler(1'000, 1.0);
  Random first(kSeed);
  Random second(kSeed);
  for (int draw = 0; draw < 1'000; ++draw) EXPECT_EQ(sampler.sample(first), sampler.sample(second));
}

}  // namespace
}  // namespace toll::bench
