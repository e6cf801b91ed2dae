// The sketch of hot keys, held against counting everything.
#include "engine/hot_keys.h"

#include <array>
#include <gtest/gtest.h>
#include <map>
#include <random>

#include "tests/unit/seed.h"

namespace toll::engine {
namespace {

constexpr uint16_t kPolicy = 3;

KeyHash hot_key(uint64_t number) {
  return {.rest = number, .tag = 7, .home = 9};
}

std::vector<HotKey> hottest_of(const HotKeys& sketch, size_t most = kHotKeys) {
  const std::array<const HotKeys*, 1> one = {&sketch};
  return hottest(one, most);
}

TEST(HotKeys, FewKeysAreCountedExactly) {
  HotKeys sketch;
  for (uint64_t key = 1; key <= 4; ++key) {
    for (uint64_t i = 0; i < key * 10; ++i) sketch.add(kPolicy, hot_key(key));
  }
  const auto hot = hottest_of(sketch);
  ASSERT_EQ(hot.size(), 4U);
  for (size_t i = 0; i < hot.size(); ++i) {
    EXPECT_EQ(hot[i].policy, kPolicy);
    EXPECT_EQ(hot[i].hash, 4 - i);
    EXPECT_DOUBLE_EQ(hot[i].share, static_cast<double>(4 - i) / 10);
  }
  EXPECT_EQ(hottest_of(sketch, 2).size(), 2U);
  EXPECT_TRUE(hottest_of(HotKeys()).empty());
}

TEST(HotKeys, TheSameIdUnderAnotherPolicyIsAnotherKey) {
  HotKeys sketch;
  sketch.add(1, hot_key(5));
  sketch.add(UINT16_MAX, hot_key(5));
  const auto hot = hottest_of(sketch);
  ASSERT_EQ(hot.size(), 2U);
  EXPECT_NE(hot[0].policy, hot[1].policy);
}

// Metwally's two promises: what has more than its part is found, and no count is too high by more
// than its error; here, as errors are taken off, none is too high at all.
TEST(HotKeys, WhatIsHotIsFoundAmongManyAndNeverOverstated) {
  const uint64_t seed = test_seed(20261122);
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  HotKeys sketch;
  std::map<uint64_t, uint64_t> truth;
  constexpr uint64_t kSamples = 100'000;
  for (uint64_t i = 0; i < kSamples; ++i) {
    const uint64_t dice = random() % 100;
    // Two hot ones; the rest of the requests are spread over very many.
    const uint64_t key = dice < 20 ? 1 : dice < 25 ? 2 : 1'000 + random() % 1'000'000;
    sketch.add(kPolicy, hot_key(key));
    ++truth[key];
  }
  const auto hot = hottest_of(sketch);
  ASSERT_GE(hot.size(), 2U);
  EXPECT_EQ(hot[0].hash, 1U);
  EXPECT_EQ(hot[1].hash, 2U);
  for (const HotKey& each : hot) {
    const double true_share = static_cast<double>(truth[each.hash]) / kSamples;
    EXPECT_LE(each.share, true_share + 1e-9);
    EXPECT_GE(each.share, true_share - 1.0 / kHotKeys);
  }
}

TEST(HotKeys, WhatWasHotIsForgotten) {
  HotKeys sketch;
  for (int i = 0; i < 2'000; ++i) sketch.add(kPolicy, hot_key(1));
  for (int round = 0; round < 8; ++round) {
    sketch.age();
    for (int i = 0; i < 1'000; ++i) sketch.add(kPolicy, hot_key(2));
  }
  const auto hot = hottest_of(sketch);
  ASSERT_FALSE(hot.empty());
  EXPECT_EQ(hot[0].hash, 2U);
  EXPECT_GT(hot[0].share, 0.9);
}

TEST(HotKeys, SeveralSketchesAreSummed) {
  HotKeys first;
  HotKeys second;
  for (int i = 0; i < 10; ++i) first.add(kPolicy, hot_key(1));
  for (int i = 0; i < 6; ++i) first.add(kPolicy, hot_key(2));
  for (int i = 0; i < 9; ++i) second.add(kPolicy, hot_key(2));
  const std::array<const HotKeys*, 2> both = {&first, &second};
  const auto hot = hottest(both, 1);
  ASSERT_EQ(hot.size(), 1U);
  EXPECT_EQ(hot[0].hash, 2U);
  EXPECT_DOUBLE_EQ(hot[0].share, 15.0 / 25);
}

TEST(HotKeys, OneDecisionOfSixtyFourIsTakenAtDistancesOfItsOwn) {
  HotKeys sketch;
  sketch.seed(test_seed(7));
  constexpr uint64_t kDecisions = 1'000'000;
  uint64_t taken = 0;
  std::array<uint64_t, kHotSampleEvery> at_phase{};
  for (uint64_t i = 0; i < kDecisions; ++i) {
    if (!sketch.due()) continue;
    ++taken;
    ++at_phase[i % kHotSampleEvery];
  }
  EXPECT_NEAR(static_cast<double>(taken), kDecisions / double{kHotSampleEvery}, 1'000);
  for (const uint64_t count : at_phase) EXPECT_GT(count, 0U) << "a rhythm falls in with it";
}

}  // namespace
}  // namespace toll::engine
