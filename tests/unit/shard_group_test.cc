// Several checks together: all are charged or none.
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "tests/unit/shard_fixture.h"

namespace toll::engine {
namespace {

class Together : public ShardTest {
 public:
  Together() {
    policy("a", Algorithm::kGcra, {make_limit(10, 0, 3600 * kSecond)});
    policy("b", Algorithm::kFixedWindow, {make_limit(5, 0, 3600 * kSecond)});
    policy("log", Algorithm::kSlidingLog,
           {make_limit(10, 0, kSecond), make_limit(20, 0, 60 * kSecond)});
    policy("jobs", Algorithm::kConcurrency, {make_limit(5, 0, kSecond)});
  }

  Together& add(std::string_view policy, std::string_view id, int64_t units) {
    group_.push_back(operation(Verb::kCheck, policy, id, units));
    return *this;
  }

 protected:
  // Asks for what add() collected.
  bool ask() { return shard_->decide_together(group_, now_); }

  std::vector<Operation> group_;
};

TEST_F(Together, AllAreChargedWhenAllAreAdmitted) {
  add("a", "ann", 4).add("b", "ann", 2).add("log", "ann", 3);
  EXPECT_TRUE(ask());
  EXPECT_EQ(group_[0].answer.remaining, 6);
  EXPECT_EQ(group_[1].answer.remaining, 3);
  EXPECT_EQ(group_[2].answer.remaining, 7);
  EXPECT_EQ(remaining("a", "ann"), 6);
  EXPECT_EQ(remaining("b", "ann"), 3);
  EXPECT_EQ(remaining("log", "ann"), 7);
}

TEST_F(Together, NoneIsChargedWhenOneIsRefused) {
  charge("a", "ann", 1);
  charge("log", "ann", 2);
  add("a", "ann", 4).add("log", "ann", 3).add("b", "bob", 6).add("a", "new", 1);
  EXPECT_FALSE(ask());
  EXPECT_EQ(group_[0].outcome, Outcome::kAdmitted);
  EXPECT_EQ(group_[1].outcome, Outcome::kAdmitted);
  EXPECT_EQ(group_[2].outcome, Outcome::kRefused);
  EXPECT_EQ(group_[2].answer.retry_us, kNever);
  EXPECT_EQ(group_[3].outcome, Outcome::kAdmitted);
  // What is left is what was left before.
  EXPECT_EQ(group_[0].answer.remaining, 9);
  EXPECT_EQ(remaining("a", "ann"), 9);
  EXPECT_EQ(remaining("log", "ann"), 8);
  EXPECT_EQ(shard_->stats().keys, 2u);
}

TEST_F(Together, TheSameKeyTwiceIsChargedForBoth) {
  add("a", "ann", 4).add("b", "ann", 1).add("a", "ann", 6);
  EXPECT_TRUE(ask());
  EXPECT_EQ(group_[0].answer.remaining, 6);
  EXPECT_EQ(group_[2].answer.remaining, 0);
  EXPECT_FALSE(admits("a", "ann"));
}

TEST_F(Together, TheSameKeyTwiceMustFitTogether) {
  for (const std::string name : {"a", "log"}) {
    group_.clear();
    add(name, "ann", 6).add(name, "ann", 5).add(name, "ann", 4);
    EXPECT_FALSE(ask());
    EXPECT_EQ(group_[0].outcome, Outcome::kAdmitted);
    EXPECT_EQ(group_[1].outcome, Outcome::kRefused);
    EXPECT_EQ(group_[1].answer.retry_us, kNever);      // eleven at once never fit
    EXPECT_EQ(group_[2].outcome, Outcome::kAdmitted);  // behind the one that fits
    EXPECT_EQ(remaining(name, "ann"), 10);
  }
  EXPECT_EQ(shard_->stats().keys, 0u);
}

TEST_F(Together, SumsBeyondAllBoundsAreRefused) {
  policy("huge", Algorithm::kGcra, {make_limit(kUnitsMax, 0, 3600 * kSecond)});
  add("huge", "ann", kUnitsMax).add("huge", "ann", kUnitsMax);
  EXPECT_FALSE(ask());
  EXPECT_EQ(group_[0].outcome, Outcome::kAdmitted);
  EXPECT_EQ(group_[1].outcome, Outcome::kRefused);
  EXPECT_EQ(group_[1].answer.retry_us, kNever);
  EXPECT_EQ(remaining("huge", "ann"), kUnitsMax);
}

TEST_F(Together, WhatCannotBeAskedFailsTheGroup) {
  add("a", "ann", 1).add("nobody", "ann", 1).add("jobs", "ann", 1);
  EXPECT_FALSE(ask());
  EXPECT_EQ(group_[0].outcome, Outcome::kAdmitted);
  EXPECT_EQ(group_[1].outcome, Outcome::kNoPolicy);
  EXPECT_EQ(group_[2].outcome, Outcome::kUnfit);
  EXPECT_EQ(shard_->stats().keys, 0u);
}

TEST_F(Together, AnEmptyGroupIsAdmitted) {
  EXPECT_TRUE(ask());
}

TEST_F(Together, AThousandKeysAreOneDecision) {
  for (int i = 0; i < 1000; ++i) add("b", std::to_string(i % 500), 2);
  EXPECT_TRUE(ask());
  EXPECT_EQ(shard_->stats().keys, 500u);
  EXPECT_FALSE(ask());
  for (int i = 0; i < 500; ++i) EXPECT_EQ(remaining("b", std::to_string(i)), 1);
}

class TogetherInLittleMemory : public Together {
 protected:
  TogetherInLittleMemory() {
    shard_ = std::make_unique<Shard>(Shard::Settings{size_t{64} << 10});
    reload();
    policy("wide", Algorithm::kTokenBucket, std::vector<Limit>(8, make_limit(9, 0, kSecond)));
  }
};

TEST_F(TogetherInLittleMemory, AGroupThatDoesNotFitLeavesNothingBehind) {
  for (int i = 0; i < 1000; ++i) add("wide", std::to_string(i), 1);
  EXPECT_FALSE(ask());
  EXPECT_GT(shard_->stats().full, 0u);
  EXPECT_EQ(shard_->stats().keys, 0u);
  // All that it took is there again, for as many keys as fit.
  group_.resize(150);
  EXPECT_TRUE(ask());
  EXPECT_EQ(shard_->stats().keys, 150u);
}

TEST_F(TogetherInLittleMemory, NoKeyOfTheGroupMakesWayForAnother) {
  for (int i = 0; i < 5000; ++i, now_ += kSecond / 100) check("b", "old" + std::to_string(i));
  const uint64_t before = shard_->stats().evicted;
  EXPECT_GT(before, 0u);
  for (int i = 0; i < 100; ++i)
    add("wide", "new" + std::to_string(i), 1).add("a", "old" + std::to_string(i), 1);
  EXPECT_TRUE(ask());
  EXPECT_GT(shard_->stats().evicted, before);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(remaining("wide", "new" + std::to_string(i)), 8);
    EXPECT_EQ(remaining("a", "old" + std::to_string(i)), 9);
  }
  // And none of them stays held.
  group_.clear();
  for (int i = 0; i < 5000; ++i, now_ += kSecond / 100) check("b", "newer" + std::to_string(i));
  EXPECT_EQ(shard_->stats().full, 0u);
}

}  // namespace
}  // namespace toll::engine
