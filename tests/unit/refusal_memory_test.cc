// The memory of refusals. TOLL_SEED replays a failure of the random history, which prints its
// seed.
#include "engine/refusal_memory.h"

#include <algorithm>
#include <cstdint>
#include <gtest/gtest.h>
#include <map>
#include <random>
#include <string>
#include <tuple>

#include "engine/limits.h"
#include "tests/unit/seed.h"
#include "tests/unit/times.h"

namespace toll::engine {
namespace {

constexpr int64_t kLong = 100'000 * kSecond;
constexpr size_t kBucketBytes = 512;

KeyHash key(uint64_t rest, uint32_t tag = 0, uint32_t home = 0) {
  return {rest, tag, home};
}

class Refusals : public testing::Test {
 protected:
  void note(const KeyHash& of, int64_t retry_us, int64_t units = 1, TimeUs sent = kNoon) {
    memory_.note(of, units, {100, 3, retry_us, 2 * kSecond}, sent, sent, kLong);
  }
  bool knows(const KeyHash& of, TimeUs now = kNoon, int64_t units = 1) {
    return memory_.recall(of, units, now).has_value();
  }

  RefusalMemory memory_{kBucketBytes};  // a single bucket
};

TEST_F(Refusals, WaitsAreCountedDownToTheMicrosecond) {
  note(key(1), 300 * kMs, 5);
  for (const int64_t passed : {int64_t{0}, int64_t{1}, 299 * kMs, 300 * kMs - 1}) {
    const auto answer = memory_.recall(key(1), 5, kNoon + passed);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->retry_us, 300 * kMs - passed);
    EXPECT_EQ(answer->reset_us, 2 * kSecond - passed);
    EXPECT_EQ(answer->limit, 100);
    EXPECT_EQ(answer->remaining, 3);
  }
  EXPECT_FALSE(memory_.recall(key(1), 5, kNoon + 300 * kMs));
}

TEST_F(Refusals, AreCertainFromTheSendingAndWaitedForFromTheAnswer) {
  memory_.note(key(1), 5, {100, 3, 300 * kMs, kSecond}, kNoon, kNoon + 7 * kMs, kLong);
  const auto answer = memory_.recall(key(1), 5, kNoon + 299 * kMs);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->retry_us, 8 * kMs);
  EXPECT_FALSE(memory_.recall(key(1), 5, kNoon + 300 * kMs));
}

TEST_F(Refusals, AreBelievedForTheTimeGivenAndStillTellTheWholeWait) {
  memory_.note(key(1), 5, {100, 3, 3600 * kSecond, 0}, kNoon, kNoon, kSecond);
  const auto answer = memory_.recall(key(1), 5, kNoon + kSecond - 1);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->retry_us, 3599 * kSecond + 1);
  EXPECT_FALSE(memory_.recall(key(1), 5, kNoon + kSecond));
}

TEST_F(Refusals, NeverIsRememberedForAWhileAndStaysNever) {
  memory_.note(key(1), 200, {100, 100, kNever, 0}, kNoon, kNoon, kSecond);
  const auto answer = memory_.recall(key(1), 200, kNoon + kSecond - 1);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->retry_us, kNever);
  EXPECT_EQ(answer->reset_us, 0);
  EXPECT_FALSE(memory_.recall(key(1), 200, kNoon + kSecond));
}

TEST_F(Refusals, NothingIsKnownOfAnotherNumberOfUnits) {
  note(key(1), kSecond, 5);
  EXPECT_FALSE(knows(key(1), kNoon, 4));
  EXPECT_FALSE(knows(key(1), kNoon, 6));
  note(key(1), 2 * kSecond, 6);
  EXPECT_TRUE(knows(key(1), kNoon, 5));
  EXPECT_TRUE(knows(key(1), kNoon + kSecond, 6));
  EXPECT_FALSE(knows(key(1), kNoon + kSecond, 5));
  note(key(1), kSecond, kUnitsMax);
  EXPECT_TRUE(knows(key(1), kNoon, kUnitsMax));
}

TEST_F(Refusals, EveryBitOfAKeyTellsItFromOthers) {
  note(key(1, 8, 9), kSecond);
  EXPECT_FALSE(knows(key(2, 8, 9)));
  EXPECT_FALSE(knows(key(1, 7, 9)));
  EXPECT_FALSE(knows(key(1, 8, 8)));
  EXPECT_TRUE(knows(key(1, 8, 9)));
}

TEST_F(Refusals, ARefusalThatSaysNothingOfTheTimeIsNotKept) {
  note(key(1), 0);
  memory_.note(key(1), 1, {100, 3, kNever, 0}, kNoon, kNoon, 0);
  EXPECT_FALSE(knows(key(1)));
  EXPECT_EQ(memory_.size(kNoon), 0u);
}

TEST_F(Refusals, TheLatestIsWhatIsKnown) {
  note(key(1), kSecond);
  note(key(1), 300 * kMs, 1, kNoon + 900 * kMs);
  EXPECT_EQ(memory_.recall(key(1), 1, kNoon + kSecond)->retry_us, 200 * kMs);
  EXPECT_EQ(memory_.size(kNoon + kSecond), 1u);
}

TEST_F(Refusals, ForgettingAKeyForgetsItForAnyUnitsAndNoOther) {
  note(key(1), kSecond, 1);
  note(key(1), kSecond, 2);
  note(key(2), kSecond, 1);
  memory_.forget(key(1));
  EXPECT_FALSE(knows(key(1)));
  EXPECT_FALSE(knows(key(1), kNoon, 2));
  EXPECT_TRUE(knows(key(2)));
  memory_.forget_all();
  EXPECT_FALSE(knows(key(2)));
  EXPECT_EQ(memory_.size(kNoon), 0u);
}

TEST_F(Refusals, WhereABucketIsFullTheOneThatEndsSoonestGoes) {
  for (uint64_t i = 1; i <= 8; ++i) note(key(i), static_cast<int64_t>(10 - i) * kSecond);
  EXPECT_EQ(memory_.size(kNoon), 8u);
  note(key(9), kSecond);
  EXPECT_FALSE(knows(key(8)));  // had 2 s
  note(key(10), kSecond);
  EXPECT_FALSE(knows(key(9)));
  for (uint64_t i = 1; i <= 7; ++i) EXPECT_TRUE(knows(key(i)));
}

TEST_F(Refusals, WhatHasEndedIsReusedFirst) {
  note(key(1), kSecond);
  for (uint64_t i = 2; i <= 8; ++i) note(key(i), 3 * kSecond);
  note(key(9), kMs, 1, kNoon + kSecond);
  for (uint64_t i = 2; i <= 9; ++i) EXPECT_TRUE(knows(key(i), kNoon + kSecond));
}

TEST_F(Refusals, AClockThatStepsBackMakesNoWaitLonger) {
  note(key(1), kSecond);
  EXPECT_FALSE(knows(key(1), kNoon - 1));
  EXPECT_EQ(memory_.size(kNoon - 1), 0u);
  // What is of the future then does not keep the bucket from others.
  for (uint64_t i = 1; i <= 8; ++i) note(key(i), 3600 * kSecond);
  const TimeUs before = kNoon - 1000 * kSecond;
  for (uint64_t i = 11; i <= 18; ++i) note(key(i), kSecond, 1, before);
  for (uint64_t i = 11; i <= 18; ++i) EXPECT_TRUE(knows(key(i), before));
}

TEST(RefusalMemory, TakesAPowerOfTwoOfEntriesAndAtLeastABucket) {
  for (const auto& [bytes, entries] :
       {std::pair<size_t, size_t>{0, 8}, {511, 8}, {1023, 8}, {1024, 16}, {100'000, 1024}}) {
    RefusalMemory memory(bytes);
    std::mt19937 random(1);
    for (size_t i = 0; i < 20 * entries; ++i) {
      memory.note(key(i, static_cast<uint32_t>(random())), 1, {1, 0, kSecond, 0}, kNoon, kNoon,
                  kLong);
    }
    EXPECT_EQ(memory.size(kNoon), entries);
  }
}

// Whatever is recalled was noted last for that request and is certain; what is not recalled may
// have had to make way.
TEST(RefusalMemory, TellsNothingThatIsNotSo) {
  const uint64_t seed = test_seed(1);
  SCOPED_TRACE("TOLL_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  const auto below = [&](uint64_t bound) { return static_cast<int64_t>(random() % bound); };

  RefusalMemory memory(4 * kBucketBytes);
  std::map<std::tuple<uint64_t, int64_t>, std::pair<Answer, TimeUs>> noted;  // key, units: ends
  TimeUs now = kNoon;
  int recalled = 0;
  for (int i = 0; i < 200'000; ++i) {
    now += below(kMs);
    const auto number = static_cast<uint64_t>(below(40));
    const KeyHash of = key(number, static_cast<uint32_t>(number));
    const int64_t units = 1 + below(3);
    switch (below(8)) {
      case 0: {
        const TimeUs sent = now - below(kMs);
        const Answer answer{1 + below(100), below(10), 1 + below(50 * kMs), below(90 * kMs)};
        memory.note(of, units, answer, sent, sent, kLong);
        noted[{number, units}] = {answer, sent};
        break;
      }
      case 1:
        if (below(10) > 0) break;
        memory.forget(of);
        for (int64_t any = 1; any <= 3; ++any) noted.erase({number, any});
        break;
      default: {
        const auto answer = memory.recall(of, units, now);
        if (!answer) break;
        ++recalled;
        ASSERT_TRUE(noted.contains({number, units}));
        const auto& [said, sent] = noted[{number, units}];
        ASSERT_EQ(answer->retry_us, sent + said.retry_us - now);
        ASSERT_GT(answer->retry_us, 0);
        ASSERT_EQ(answer->reset_us, std::max(sent + said.reset_us - now, int64_t{0}));
        ASSERT_EQ(answer->limit, said.limit);
        ASSERT_EQ(answer->remaining, said.remaining);
      }
    }
  }
  EXPECT_GT(recalled, 5'000);
}

}  // namespace
}  // namespace toll::engine
