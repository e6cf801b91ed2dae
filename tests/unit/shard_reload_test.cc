// Reloading the policies: what was used stays used.
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "tests/unit/shard_fixture.h"
#include "tests/unit/some_limits.h"
#include "tests/unit/times.h"

namespace toll::engine {
namespace {

using Reload = ShardTest;

TEST_F(Reload, CountsSurviveAnotherCount) {
  for (const Algorithm algorithm : kWindowed) {
    policy("p", algorithm, {make_limit(10, 0, kHour)});
    charge("p", "ann", 7);
    policy("p", algorithm, {make_limit(20, 0, kHour)});
    EXPECT_EQ(remaining("p", "ann"), 13) << to_string(algorithm);
    reset("p", "ann");
  }
}

TEST_F(Reload, CountsSurviveReloadsThatTheKeySleptThrough) {
  for (const Algorithm algorithm : kWindowed) {
    policy("p", algorithm, {make_limit(10, 0, kHour)});
    charge("p", "ann", 7);
    for (int64_t count = 11; count < 20; ++count) {
      policy("p", algorithm, {make_limit(count, 0, kHour)});
    }
    EXPECT_EQ(remaining("p", "ann"), 12) << to_string(algorithm);
    reset("p", "ann");
  }
}

TEST_F(Reload, TicketsSurvive) {
  policy("jobs", Algorithm::kConcurrency, {make_limit(3, 0, kHour)});
  acquire("jobs", "ann", 1);
  acquire("jobs", "ann", 2);
  policy("jobs", Algorithm::kConcurrency, {make_limit(5, 0, kSecond)});
  EXPECT_EQ(remaining("jobs", "ann"), 3);
  EXPECT_EQ(release("jobs", "ann", 2).answer.remaining, 4);
}

TEST_F(Reload, ALimitThatStaysKeepsItsCountWhereverItStands) {
  for (const Algorithm algorithm : kWindowed) {
    const Limit hourly = make_limit(100, 0, kHour);
    const Limit daily = make_limit(500, 0, 24 * kHour);
    policy("p", algorithm, {hourly, daily});
    charge("p", "ann", 30);
    refund("p", "ann", 10);
    policy("p", algorithm, {daily, make_limit(50, 0, 60 * kSecond), hourly});
    EXPECT_EQ(remaining("p", "ann"), 50) << to_string(algorithm);
    now_ += 120 * kSecond;  // the added limit is fresh
    EXPECT_LE(remaining("p", "ann"), 50);
    policy("p", algorithm, {daily});
    EXPECT_GE(remaining("p", "ann"), 480);
    EXPECT_LE(remaining("p", "ann"), 481);
    reset("p", "ann");
  }
}

TEST_F(Reload, AnotherAlgorithmStartsAfreshAndFreesWhatHung) {
  policy("p", Algorithm::kSlidingLog, {make_limit(1000, 0, kHour), make_limit(900, 0, kHour)});
  for (int i = 0; i < 900; ++i, now_ += kMs) ASSERT_TRUE(admits("p", "ann"));
  for (const Algorithm algorithm : kWindowed) {
    policy("p", algorithm, {make_limit(1000, 0, kHour)});
    if (algorithm == Algorithm::kGcra) {
      EXPECT_EQ(remaining("p", "ann"), 1000);
    }
    charge("p", "ann", 1);
    EXPECT_GE(remaining("p", "ann"), 998) << to_string(algorithm);
  }
}

TEST_F(Reload, WhatHungFromLimitsThatAreGoneServesOtherKeys) {
  const Limit hourly = make_limit(1000, 0, kHour);
  for (int round = 0; round < 50; ++round) {
    policy("p", Algorithm::kSlidingLog, {hourly, make_limit(900, 0, 2 * kHour)});
    for (int i = 0; i < 200; ++i, now_ += kMs) ASSERT_TRUE(admits("p", "ann")) << round;
    policy("p", Algorithm::kSlidingLog, {hourly});
    EXPECT_EQ(remaining("p", "ann"), 800);
    policy("p", Algorithm::kGcra, {hourly});
    EXPECT_EQ(remaining("p", "ann"), 1000);
  }
  // One round's worth, not fifty times that.
  EXPECT_LT(shard_->stats().bytes, size_t{100} << 10);
}

TEST_F(Reload, ARemovedPolicyIsNotDecidedByAndComesBackWithItsCounts) {
  policy("p", Algorithm::kGcra, {make_limit(10, 0, kHour)});
  charge("p", "ann", 7);
  remove_policy("p");
  EXPECT_EQ(check("p", "ann").outcome, Outcome::kNoPolicy);
  EXPECT_EQ(shard_->stats().keys, 1u);
  policy("p", Algorithm::kGcra, {make_limit(20, 0, kHour)});
  EXPECT_EQ(remaining("p", "ann"), 13);
}

TEST_F(Reload, KeysOfARemovedPolicyExpireInTheirTime) {
  policy("p", Algorithm::kSlidingLog, {make_limit(10, 0, kHour)});
  charge("p", "ann", 7);
  remove_policy("p");
  sweep_all();
  EXPECT_EQ(shard_->stats().keys, 1u);
  now_ += kHour;
  sweep_all();
  EXPECT_EQ(shard_->stats().keys, 0u);
}

TEST_F(Reload, MoreLimitsTakeMoreBlocksAndFewerGiveThemBack) {
  policy("p", Algorithm::kTokenBucket, {make_limit(10, 0, kHour)});
  for (int i = 0; i < 100; ++i) charge("p", std::to_string(i), 3);
  std::vector<Limit> eight(8, make_limit(10, 0, kHour));
  for (int64_t i = 1; i < 8; ++i) eight[static_cast<size_t>(i)] = make_limit(10 + i, 0, i * kHour);
  for (int round = 0; round < 50; ++round) {
    policy("p", Algorithm::kTokenBucket, eight);
    for (int i = 0; i < 100; ++i) ASSERT_EQ(remaining("p", std::to_string(i)), 7) << round;
    policy("p", Algorithm::kTokenBucket, {make_limit(10, 0, kHour)});
    for (int i = 0; i < 100; ++i) ASSERT_EQ(remaining("p", std::to_string(i)), 7) << round;
  }
  EXPECT_LT(shard_->stats().bytes, size_t{64} << 10);
}

}  // namespace
}  // namespace toll::engine
