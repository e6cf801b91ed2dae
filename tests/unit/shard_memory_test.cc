// The budget: what a shard holds, what it frees, and whom it never frees.
#include <algorithm>
#include <cstdint>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "tests/unit/shard_fixture.h"
#include "tests/unit/times.h"

namespace toll::engine {
namespace {

class ShardMemory : public ShardTest {
 protected:
  void budget(size_t bytes) {
    budget_ = bytes;
    shard_ = std::make_unique<Shard>(Shard::Settings{bytes});
    reload();
  }

  // Checks `count` ids of that name, each once, in batches.
  void flood(std::string_view policy, const std::string& name, int count, int64_t units = 1) {
    std::vector<Operation> batch;
    for (int i = 0; i < count; ++i) {
      batch.push_back(operation(Verb::kCheck, policy, name + std::to_string(i), units));
      if (batch.size() < 64 && i + 1 < count) continue;
      shard_->decide(batch, now_);
      for (const Operation& op : batch) admitted_ += op.outcome == Outcome::kAdmitted;
      batch.clear();
      ASSERT_LE(shard_->stats().bytes, budget_);
    }
  }

  size_t budget_ = size_t{1} << 20;
  int admitted_ = 0;
};

TEST_F(ShardMemory, AFloodNeverFreesAClientThatIsOverItsLimit) {
  for (const Algorithm algorithm :
       {Algorithm::kGcra, Algorithm::kTokenBucket, Algorithm::kSlidingLog,
        Algorithm::kSlidingWindow, Algorithm::kFixedWindow}) {
    const bool small = algorithm != Algorithm::kGcra;
    const int ids = small ? 2'500 : 20'000;  // more than fit, ten times over
    budget(small ? size_t{128} << 10 : size_t{1} << 20);
    policy("p", algorithm, {make_limit(5, 0, kHour)});
    now_ = kNoon;
    EXPECT_TRUE(admits("p", "used up", 5));  // nothing left, though never refused
    EXPECT_TRUE(admits("p", "refused", 4));
    const Operation refused = check("p", "refused", 3);
    EXPECT_EQ(refused.outcome, Outcome::kRefused);
    charge("p", "in debt", 9);
    for (int round = 0; round < 10; ++round) {
      now_ += kSecond;
      flood("p", "flood" + std::to_string(round) + "-", ids);
    }
    EXPECT_GT(shard_->stats().evicted, static_cast<uint64_t>(8 * ids));
    EXPECT_EQ(shard_->stats().full, 0u);
    EXPECT_FALSE(admits("p", "used up")) << to_string(algorithm);
    EXPECT_FALSE(admits("p", "refused", 3)) << to_string(algorithm);
    EXPECT_LT(remaining("p", "in debt"), 0) << to_string(algorithm);
    now_ = std::max(now_, kNoon + refused.answer.retry_us);
    EXPECT_TRUE(admits("p", "refused", 3)) << to_string(algorithm);
  }
}

TEST_F(ShardMemory, WhenAllHoldRefusalsANewKeyIsAnsweredFull) {
  budget(size_t{64} << 10);
  policy("p", Algorithm::kGcra, {make_limit(1, 0, kHour)});
  flood("p", "used up", 20'000);
  EXPECT_GT(shard_->stats().full, 0u);
  EXPECT_EQ(shard_->stats().evicted, 0u);
  EXPECT_EQ(shard_->stats().keys, static_cast<uint64_t>(admitted_));
  EXPECT_GT(shard_->stats().keys, 900u);
  EXPECT_EQ(check("p", "late").outcome, Outcome::kFull);
  now_ += kHour;  // all of them have expired
  EXPECT_TRUE(admits("p", "late"));
  EXPECT_EQ(shard_->stats().evicted, 0u);
}

TEST_F(ShardMemory, ExpiredKeysGoBeforeAnyThatIsInUse) {
  budget(size_t{256} << 10);
  policy("brief", Algorithm::kGcra, {make_limit(10, 0, kSecond)});
  policy("long", Algorithm::kGcra, {make_limit(10, 0, kHour)});
  flood("long", "kept", 1000);
  for (int round = 0; round < 100; ++round) {
    flood("brief", std::to_string(round) + "-", 500);
    now_ += kSecond;
  }
  EXPECT_EQ(shard_->stats().evicted, 0u);
  EXPECT_GT(shard_->stats().expired, 45'000u);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(remaining("long", "kept" + std::to_string(i)), 9);
}

TEST_F(ShardMemory, TheColdestGoFirst) {
  budget(size_t{256} << 10);
  policy("p", Algorithm::kFixedWindow, {make_limit(1000, 0, 24 * kHour)});
  flood("p", "warm", 100);
  for (int round = 0; round < 200; ++round) {
    now_ += kSecond;
    flood("p", "cold" + std::to_string(round) + "-", 100);
    flood("p", "warm", 100);
  }
  EXPECT_GT(shard_->stats().evicted, 10'000u);
  int64_t kept = 0;
  for (int i = 0; i < 100; ++i) {
    kept += remaining("p", "warm" + std::to_string(i)) == 1000 - 201 ? 1 : 0;
  }
  EXPECT_EQ(kept, 100);
}

TEST_F(ShardMemory, MemoryOfALogServesOtherKeys) {
  policy("log", Algorithm::kSlidingLog, {make_limit(100'000, 0, kHour)});
  policy("p", Algorithm::kGcra, {make_limit(10, 0, kHour)});
  while (check("log", "greedy").outcome == Outcome::kAdmitted) now_ += kMs;
  ASSERT_EQ(shard_->stats().full, 1u);
  now_ += kHour;
  flood("p", "after", 10'000);
  EXPECT_EQ(shard_->stats().evicted, 0u);
}

TEST_F(ShardMemory, AGreedyLogIsRefusedWhenItHasTakenAll) {
  budget(size_t{64} << 10);
  policy("log", Algorithm::kSlidingLog, {make_limit(100'000, 0, kHour)});
  int64_t entries = 0;
  while (check("log", "greedy").outcome == Outcome::kAdmitted) {
    ++entries;
    now_ += kMs;
    ASSERT_LT(entries, 100'000);
  }
  EXPECT_EQ(check("log", "greedy").outcome, Outcome::kFull);
  EXPECT_EQ(remaining("log", "greedy"), 100'000 - entries);
  EXPECT_EQ(check("log", "other").outcome, Outcome::kAdmitted) << "the greedy one is not protected";
  EXPECT_LE(shard_->stats().bytes, budget_);
}

TEST_F(ShardMemory, AFailedNewLogLeavesNoKey) {
  budget(size_t{64} << 10);
  policy("p", Algorithm::kGcra, {make_limit(1, 0, kHour)});
  policy("log", Algorithm::kSlidingLog, std::vector<Limit>(8, make_limit(9, 0, kHour)));
  flood("p", "used up", 20'000);
  // Room for such a key, but not for its first entries as well.
  for (int i = 0; i < 6; ++i) reset("p", "used up" + std::to_string(i));
  const uint64_t keys = shard_->stats().keys;
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(check("log", "new" + std::to_string(i)).outcome, Outcome::kFull);
  }
  EXPECT_EQ(shard_->stats().keys, keys);
  EXPECT_EQ(shard_->stats().evicted, 0u);
}

TEST_F(ShardMemory, ASweepFreesAllThatExpiredAndNothingElse) {
  policy("brief", Algorithm::kSlidingLog, {make_limit(10, 0, kSecond)});
  policy("long", Algorithm::kSlidingWindow, {make_limit(10, 0, kHour)});
  policy("jobs", Algorithm::kConcurrency, {make_limit(10, 0, kSecond)});
  flood("brief", "a", 3000);
  flood("long", "b", 3000);
  for (int i = 0; i < 500; ++i) acquire("jobs", std::to_string(i), 1);
  for (int i = 0; i < 500; ++i) throttle(std::to_string(i), make_limit(5, 0, kSecond));
  sweep_all();
  EXPECT_EQ(shard_->stats().keys, 7000u);
  now_ += kWarmSeconds * kSecond;
  sweep_all();
  EXPECT_EQ(shard_->stats().keys, 3000u);
  EXPECT_EQ(shard_->stats().expired, 4000u);
  now_ += 3 * kHour;
  sweep_all();
  EXPECT_EQ(shard_->stats().keys, 0u);
}

TEST_F(ShardMemory, ASweepLooksAtNoMoreThanItIsAllowed) {
  policy("brief", Algorithm::kGcra, {make_limit(10, 0, kSecond)});
  flood("brief", "a", 3000);
  now_ += kWarmSeconds * kSecond;
  shard_->sweep(now_, 100);
  EXPECT_EQ(shard_->stats().expired, 100u);
}

TEST_F(ShardMemory, AKeyThatWasUsedAMomentAgoStaysWarm) {
  policy("brief", Algorithm::kGcra, {make_limit(10, 0, kSecond)});
  flood("brief", "a", 3000);
  now_ += (kWarmSeconds - 1) * kSecond;
  sweep_all();
  EXPECT_EQ(shard_->stats().keys, 3000u);
  EXPECT_EQ(shard_->stats().expired, 0u);
}

TEST_F(ShardMemory, WavesOfKeysDoNotGrowTheShard) {
  policy("p", Algorithm::kTokenBucket, {make_limit(10, 0, kSecond)});
  flood("p", "wave", 5000);
  const uint64_t bytes = shard_->stats().bytes;
  for (int wave = 0; wave < 20; ++wave) {
    now_ += 2 * kWarmSeconds * kSecond;
    sweep_all();
    flood("p", std::to_string(wave) + "-", 5000);
    EXPECT_LE(shard_->stats().bytes, bytes + bytes / 4);
  }
}

TEST_F(ShardMemory, AMillionGcraKeysTakeAtMost64MBAndNoStepOfGrowthIsLarge) {
  budget(size_t{64'000'000});
  policy("p", Algorithm::kGcra, {make_limit(10, 0, kHour)});
  uint64_t before = shard_->stats().bytes;
  uint64_t largest_step = 0;
  for (int i = 0; i < 1'000'000; ++i) {
    Operation op = operation(Verb::kCheck, "p", std::to_string(i));
    shard_->decide({&op, 1}, now_);
    ASSERT_EQ(op.outcome, Outcome::kAdmitted);
    const uint64_t bytes = shard_->stats().bytes;
    largest_step = std::max(largest_step, bytes - std::min(bytes, before));
    before = bytes;
    // All along, not only at a million: past the first pages, no moment takes more than 64 a key.
    ASSERT_LE(bytes, static_cast<uint64_t>(i) * 64 + 400'000) << i;
  }
  EXPECT_EQ(shard_->stats().keys, 1'000'000u);
  EXPECT_EQ(shard_->stats().evicted, 0u);
  EXPECT_LE(shard_->stats().bytes, 64'000'000u);
  EXPECT_LE(largest_step, 256u << 10);
}

TEST_F(ShardMemory, NoStepOfGrowthIsOverHalfOfASmallBudget) {
  for (const size_t bytes : {size_t{64} << 10, size_t{100} << 10, size_t{256} << 10}) {
    budget(bytes);
    policy("p", Algorithm::kGcra, {make_limit(10, 0, kHour)});
    uint64_t before = 0;
    for (int i = 0; i < 5000; ++i) {
      check("p", std::to_string(i));
      EXPECT_LE(shard_->stats().bytes, before + bytes / 2);
      before = shard_->stats().bytes;
    }
    // And the budget is put to use.
    EXPECT_GT(shard_->stats().keys * 80, bytes);
  }
}

}  // namespace
}  // namespace toll::engine
