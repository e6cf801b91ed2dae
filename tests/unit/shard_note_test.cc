// Counting beside the store what the store decided.
#include <cstdint>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "tests/unit/shard_fixture.h"
#include "tests/unit/some_limits.h"
#include "tests/unit/times.h"

namespace toll::engine {
namespace {

class Note : public ShardTest {
 protected:
  explicit Note(size_t memory_bytes = size_t{1} << 20) : ShardTest(memory_bytes) {}

  Operation note(std::string_view policy, std::string_view id, int64_t units = 1,
                 uint64_t ticket = 0) {
    Operation op = operation(Verb::kNote, policy, id, units);
    op.ticket = ticket;
    return decide(op);
  }
};

TEST_F(Note, UsesWhatTheStoreAdmitted) {
  for (const Algorithm algorithm : kWindowed) {
    policy("p", algorithm, {make_limit(10, 0, kHour)});
    const Operation noted = note("p", "ann", 3);
    EXPECT_EQ(noted.outcome, Outcome::kDone);
    EXPECT_EQ(noted.answer.remaining, 7) << to_string(algorithm);
    EXPECT_TRUE(admits("p", "ann", 7)) << to_string(algorithm);
    EXPECT_FALSE(admits("p", "ann")) << to_string(algorithm);
    reset("p", "ann");
  }
}

TEST_F(Note, NeverGoesIntoDebt) {
  for (const Algorithm algorithm : kWindowed) {
    policy("p", algorithm, {make_limit(10, 0, kHour)});
    note("p", "ann", 7);
    for (const int64_t units : {int64_t{4}, int64_t{1}, kUnitsMax}) {
      const Operation noted = note("p", "ann", units);
      EXPECT_EQ(noted.outcome, Outcome::kDone);
      EXPECT_EQ(noted.answer.remaining, 0) << to_string(algorithm);
      EXPECT_EQ(noted.answer.retry_us, 0);
    }
    now_ += 2 * kHour;
    EXPECT_EQ(remaining("p", "ann"), 10) << to_string(algorithm);
    note("p", "bob", kUnitsMax);
    EXPECT_EQ(remaining("p", "bob"), 0) << to_string(algorithm);
    reset("p", "ann");
    reset("p", "bob");
  }
}

TEST_F(Note, LeavesADebtAsItIs) {
  for (const Algorithm algorithm : kWindowed) {
    policy("p", algorithm, {make_limit(10, 0, kHour)});
    charge("p", "ann", 15);
    EXPECT_EQ(note("p", "ann", 5).answer.remaining, -5) << to_string(algorithm);
    reset("p", "ann");
  }
}

TEST_F(Note, UsesUpTheLimitsThatHaveLessAndTheOthersAsMuchAsItSays) {
  for (const Algorithm algorithm : kWindowed) {
    const Limit hourly = make_limit(5, 0, kHour);
    const Limit daily = make_limit(100, 0, 24 * kHour);
    policy("p", algorithm, {hourly, daily});
    EXPECT_EQ(note("p", "ann", 8).answer.remaining, 0) << to_string(algorithm);
    note("p", "ann", 8);
    policy("p", algorithm, {daily});
    EXPECT_EQ(remaining("p", "ann"), 84) << to_string(algorithm);
    reset("p", "ann");
  }
}

TEST_F(Note, AShareOfTheLimitIsUsedUpWithinIt) {
  policy("p", Algorithm::kGcra, {make_limit(100, 0, kHour)});
  shard_->adopt(table_, 4);
  for (int i = 0; i < 60; ++i) note("p", "ann");
  EXPECT_EQ(remaining("p", "ann"), 0);
  EXPECT_EQ(check("p", "ann").outcome, Outcome::kRefused);
}

TEST_F(Note, ATicketIsTakenAndCanBeReleased) {
  policy("jobs", Algorithm::kConcurrency, {make_limit(2, 0, kHour)});
  EXPECT_EQ(note("jobs", "ann", 1, 11).answer.remaining, 1);
  EXPECT_EQ(note("jobs", "ann", 1, 12).answer.remaining, 0);
  EXPECT_EQ(acquire("jobs", "ann", 13).outcome, Outcome::kRefused);
  EXPECT_EQ(release("jobs", "ann", 11).answer.remaining, 1);
  EXPECT_EQ(acquire("jobs", "ann", 13).outcome, Outcome::kAdmitted);
}

TEST_F(Note, ATicketThatDoesNotFitIsNotTaken) {
  policy("jobs", Algorithm::kConcurrency, {make_limit(3, 0, kHour)});
  note("jobs", "ann", 2, 11);
  const Operation unfit = note("jobs", "ann", 2, 12);
  EXPECT_EQ(unfit.outcome, Outcome::kDone);
  EXPECT_EQ(unfit.answer.remaining, 1);
  EXPECT_EQ(note("jobs", "bob", 4, 13).answer.remaining, 3);
  EXPECT_EQ(shard_->stats().keys, 1u);  // bob has nothing to be kept
}

TEST_F(Note, ATicketLapsesInItsOwnTime) {
  policy("jobs", Algorithm::kConcurrency, {make_limit(1, 0, kHour)});
  Operation op = operation(Verb::kNote, "jobs", "ann");
  op.ticket = 11;
  op.ttl_us = kSecond;
  decide(op);
  now_ += kSecond - kMs;
  EXPECT_EQ(remaining("jobs", "ann"), 0);
  now_ += kMs;
  EXPECT_EQ(remaining("jobs", "ann"), 1);
}

TEST_F(Note, CountsForThrottleByItsOwnLimit) {
  const Limit limit = make_limit(10, 0, kHour);
  Operation op;
  op.verb = Verb::kNote;
  op.policy = kThrottlePolicy;
  op.key = hasher_(kThrottlePolicy, "ann");
  op.throttle = &limit;
  op.units = 4;
  EXPECT_EQ(decide(op).outcome, Outcome::kDone);
  EXPECT_EQ(throttle("ann", limit).answer.remaining, 5);
}

TEST_F(Note, OfAPolicyThatIsGoneSaysSo) {
  policy("p", Algorithm::kGcra, {make_limit(10, 0, kHour)});
  remove_policy("p");
  EXPECT_EQ(note("p", "ann").outcome, Outcome::kNoPolicy);
}

TEST_F(Note, IsNotForGroups) {
  policy("p", Algorithm::kGcra, {make_limit(10, 0, kHour)});
  Operation op = operation(Verb::kNote, "p", "ann");
  EXPECT_FALSE(shard_->decide_together({&op, 1}, now_));
  EXPECT_EQ(op.outcome, Outcome::kUnfit);
  EXPECT_EQ(remaining("p", "ann"), 10);
}

class NoteInLittleMemory : public Note {
 protected:
  NoteInLittleMemory() : Note(size_t{64} << 10) {}
};

TEST_F(NoteInLittleMemory, IsLeftOutInSilence) {
  for (const Algorithm algorithm : {Algorithm::kGcra, Algorithm::kSlidingLog}) {
    policy("p", algorithm, {make_limit(1, 0, kHour)});
    int clients = 0;  // each of which is refused, and so must stay
    while (check("p", std::to_string(clients)).outcome == Outcome::kAdmitted) {
      ASSERT_EQ(check("p", std::to_string(clients)).outcome, Outcome::kRefused);
      ++clients;
    }
    const uint64_t full = shard_->stats().full;
    const uint64_t keys = shard_->stats().keys;
    const Operation noted = note("p", "ann");
    EXPECT_EQ(noted.outcome, Outcome::kDone);
    EXPECT_EQ(noted.answer.remaining, 1);
    EXPECT_EQ(shard_->stats().full, full);
    EXPECT_EQ(shard_->stats().keys, keys);
    EXPECT_EQ(check("p", "ann").outcome, Outcome::kFull);  // there was none indeed
    now_ += 2 * kHour;
    sweep_all();
    ASSERT_EQ(shard_->stats().keys, 0u);
  }
}

TEST_F(NoteInLittleMemory, AnEntryThatFindsNoRoomIsLeftOutAndTheKeyStaysWhole) {
  policy("log", Algorithm::kSlidingLog, {make_limit(100'000, 0, kHour)});
  int64_t noted = 0;
  for (int i = 0; i < 100'000 && shard_->stats().full == 0; ++i) {
    now_ += kMs;
    const int64_t before = remaining("log", "ann");
    if (note("log", "ann").answer.remaining == before) break;
    ++noted;
  }
  EXPECT_GT(noted, 1000);
  EXPECT_LT(noted, 100'000);
  EXPECT_EQ(shard_->stats().full, 0u);
  EXPECT_EQ(remaining("log", "ann"), 100'000 - noted);
}

TEST_F(NoteInLittleMemory, AKeyThatCannotBeFittedToMoreLimitsIsLeftAsItIs) {
  policy("p", Algorithm::kTokenBucket, {make_limit(1, 0, kHour)});
  int clients = 0;
  for (; admits("p", std::to_string(clients)); ++clients) admits("p", std::to_string(clients));
  const std::vector<Limit> eight(8, make_limit(2, 0, kHour));
  policy("p", Algorithm::kTokenBucket, eight);
  ASSERT_EQ(check("p", "0").outcome, Outcome::kFull);
  const uint64_t full = shard_->stats().full;
  EXPECT_EQ(note("p", "0").outcome, Outcome::kDone);
  EXPECT_EQ(decide(operation(Verb::kRepay, "p", "0")).outcome, Outcome::kDone);
  EXPECT_EQ(shard_->stats().full, full);
}

using Repay = ShardTest;

TEST_F(Repay, IsTheStoresAndChangesNothingHere) {
  for (const Algorithm algorithm : kWindowed) {
    policy("p", algorithm, {make_limit(10, 0, kHour)});
    EXPECT_EQ(decide(operation(Verb::kRepay, "p", "ann", 5)).outcome, Outcome::kDone);
    EXPECT_EQ(shard_->stats().keys, 0u);
    charge("p", "ann", 3);
    EXPECT_EQ(decide(operation(Verb::kRepay, "p", "ann", 5)).outcome, Outcome::kDone);
    EXPECT_EQ(remaining("p", "ann"), 7) << to_string(algorithm);
    reset("p", "ann");
  }
  policy("jobs", Algorithm::kConcurrency, {make_limit(10, 0, kHour)});
  EXPECT_EQ(decide(operation(Verb::kRepay, "jobs", "ann")).outcome, Outcome::kUnfit);
}

}  // namespace
}  // namespace toll::engine
