// What a shard answers to each verb, one operation at a time and in batches.
#include "engine/shard.h"

#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "tests/unit/shard_fixture.h"

namespace toll::engine {
namespace {

using Verbs = ShardTest;

TEST_F(Verbs, ACheckIsAdmittedUntilTheLimitAndThenRefused) {
  policy("login", Algorithm::kFixedWindow, {make_limit(3, 0, kSecond)});
  for (int64_t left = 2; left >= 0; --left) {
    const Operation op = check("login", "ann");
    EXPECT_EQ(op.outcome, Outcome::kAdmitted);
    EXPECT_EQ(op.answer.limit, 3);
    EXPECT_EQ(op.answer.remaining, left);
    EXPECT_EQ(op.answer.retry_us, 0);
    EXPECT_EQ(op.answer.reset_us, kSecond);
  }
  const Operation refused = check("login", "ann");
  EXPECT_EQ(refused.outcome, Outcome::kRefused);
  EXPECT_EQ(refused.answer.remaining, 0);
  EXPECT_EQ(refused.answer.retry_us, kSecond);
  now_ += kSecond;
  EXPECT_TRUE(admits("login", "ann", 3));
}

TEST_F(Verbs, IdsAndPoliciesHaveCountsOfTheirOwn) {
  policy("a", Algorithm::kGcra, {make_limit(1, 0, kSecond)});
  policy("b", Algorithm::kGcra, {make_limit(1, 0, kSecond)});
  EXPECT_TRUE(admits("a", "ann"));
  EXPECT_TRUE(admits("a", "bob"));
  EXPECT_TRUE(admits("b", "ann"));
  EXPECT_FALSE(admits("a", "ann"));
}

TEST_F(Verbs, KeysOfEqualTagsAreToldApart) {
  policy("a", Algorithm::kGcra, {make_limit(1, 0, kSecond)});
  for (uint64_t rest = 0; rest < 50; ++rest) {
    Operation op = operation(Verb::kCheck, "a", "");
    op.key = {.rest = rest, .tag = 7, .home = 0};
    EXPECT_EQ(decide(op).outcome, Outcome::kAdmitted) << rest;
    EXPECT_EQ(decide(op).outcome, Outcome::kRefused) << rest;
  }
}

TEST_F(Verbs, SeveralLimitsAreChargedAllOrNone) {
  policy("api", Algorithm::kGcra, {make_limit(10, 0, kSecond), make_limit(15, 0, 60 * kSecond)});
  EXPECT_TRUE(admits("api", "ann", 10));
  now_ += kSecond;  // the short limit is free again, the long one is not
  const Operation refused = check("api", "ann", 6);
  EXPECT_EQ(refused.outcome, Outcome::kRefused);
  EXPECT_EQ(refused.answer.limit, 15);
  EXPECT_EQ(refused.answer.remaining, 5);
  EXPECT_EQ(refused.answer.retry_us, 3 * kSecond);  // a unit of the long limit takes four
  const Operation admitted = check("api", "ann", 5);
  EXPECT_EQ(admitted.outcome, Outcome::kAdmitted);
  EXPECT_EQ(admitted.answer.remaining, 0);
}

TEST_F(Verbs, EveryAlgorithmHoldsEightLimits) {
  std::vector<Limit> limits;
  for (int64_t i = 0; i < 8; ++i) limits.push_back(make_limit(20 - i, 0, (i + 1) * kSecond));
  for (const Algorithm algorithm :
       {Algorithm::kGcra, Algorithm::kTokenBucket, Algorithm::kSlidingLog,
        Algorithm::kSlidingWindow, Algorithm::kFixedWindow}) {
    const std::string name(to_string(algorithm));
    policy(name, algorithm, limits);
    for (int64_t left = 12; left >= 0; --left) {
      const Operation op = check(name, "ann");
      EXPECT_EQ(op.outcome, Outcome::kAdmitted) << name;
      EXPECT_EQ(op.answer.remaining, left) << name;
    }
    EXPECT_EQ(check(name, "ann").outcome, Outcome::kRefused) << name;
    EXPECT_EQ(refund(name, "ann", 13).answer.remaining, 13) << name;
  }
}

TEST_F(Verbs, TheLimitWithTheLeastRemainingSpeaksAndTheFirstOfEquals) {
  policy("api", Algorithm::kFixedWindow,
         {make_limit(9, 0, kSecond), make_limit(5, 0, 2 * kSecond), make_limit(5, 0, 4 * kSecond)});
  const Operation op = check("api", "ann");
  EXPECT_EQ(op.answer.limit, 5);
  EXPECT_EQ(op.answer.remaining, 4);
  EXPECT_EQ(op.answer.reset_us, 2 * kSecond);
}

TEST_F(Verbs, NeverIsTheLongestWait) {
  policy("api", Algorithm::kGcra, {make_limit(1, 0, 86'400 * kSecond), make_limit(4, 2, kSecond)});
  EXPECT_TRUE(admits("api", "ann"));
  EXPECT_EQ(check("api", "ann").answer.limit, 1);
  const Operation never = check("api", "ann", 3);
  EXPECT_EQ(never.answer.retry_us, kNever);
  EXPECT_EQ(check("api", "new", 3).answer.retry_us, kNever);
}

TEST_F(Verbs, LookingAndGivingBackAndRefusingCreateNoKey) {
  policy("a", Algorithm::kGcra, {make_limit(5, 0, kSecond)});
  policy("log", Algorithm::kSlidingLog, {make_limit(5, 0, kSecond)});
  policy("jobs", Algorithm::kConcurrency, {make_limit(5, 0, kSecond)});
  for (const std::string name : {"a", "log"}) {
    EXPECT_EQ(peek(name, "ann").answer.remaining, 5);
    EXPECT_EQ(refund(name, "ann", 3).answer.remaining, 5);
    EXPECT_EQ(check(name, "ann", 6).outcome, Outcome::kRefused);
    EXPECT_EQ(reset(name, "ann").outcome, Outcome::kDone);
  }
  EXPECT_EQ(release("jobs", "ann", 1).answer.remaining, 5);
  EXPECT_EQ(acquire("jobs", "ann", 1, 6).outcome, Outcome::kRefused);
  EXPECT_EQ(throttle("ann", make_limit(5, 0, kSecond), 0).answer.remaining, 5);
  EXPECT_EQ(throttle("ann", make_limit(5, 0, kSecond), 6).outcome, Outcome::kRefused);
  EXPECT_EQ(shard_->stats().keys, 0u);
}

TEST_F(Verbs, AChargeRunsIntoDebtAndARefundNeverAboveTheLimit) {
  policy("tokens", Algorithm::kTokenBucket, {make_limit(100, 0, 100 * kSecond)});
  const Operation charged = charge("tokens", "ann", 130);
  EXPECT_EQ(charged.outcome, Outcome::kDone);
  EXPECT_EQ(charged.answer.remaining, -30);
  const Operation refused = check("tokens", "ann");
  EXPECT_EQ(refused.outcome, Outcome::kRefused);
  EXPECT_EQ(refused.answer.retry_us, 31 * kSecond);
  EXPECT_EQ(refund("tokens", "ann", 50).answer.remaining, 20);
  EXPECT_EQ(refund("tokens", "ann", 5000).answer.remaining, 100);
}

TEST_F(Verbs, AResetForgetsAndFreesTheKey) {
  policy("log", Algorithm::kSlidingLog, {make_limit(40, 0, kSecond)});
  for (int i = 0; i < 40; ++i, now_ += kMs) ASSERT_TRUE(admits("log", "ann"));
  EXPECT_FALSE(admits("log", "ann"));
  EXPECT_EQ(reset("log", "ann").answer.remaining, 40);
  EXPECT_EQ(shard_->stats().keys, 0u);
  EXPECT_TRUE(admits("log", "ann", 40));
}

TEST_F(Verbs, TicketsAreTakenReturnedAndLapse) {
  policy("jobs", Algorithm::kConcurrency, {make_limit(2, 0, 10 * kSecond)});
  EXPECT_EQ(acquire("jobs", "ann", 1).answer.remaining, 1);
  EXPECT_EQ(acquire("jobs", "ann", 2, 1, kSecond).answer.remaining, 0);
  const Operation refused = acquire("jobs", "ann", 3);
  EXPECT_EQ(refused.outcome, Outcome::kRefused);
  EXPECT_EQ(refused.answer.retry_us, kSecond);
  EXPECT_EQ(refused.answer.reset_us, 10 * kSecond);
  EXPECT_EQ(release("jobs", "ann", 3).answer.remaining, 0);
  EXPECT_EQ(release("jobs", "ann", 1).answer.remaining, 1);
  now_ += kSecond;
  EXPECT_EQ(peek("jobs", "ann").answer.remaining, 2);
}

TEST_F(Verbs, AVerbThatDoesNotGoWithTheAlgorithmDoesNothing) {
  policy("jobs", Algorithm::kConcurrency, {make_limit(2, 0, kSecond)});
  policy("api", Algorithm::kGcra, {make_limit(2, 0, kSecond)});
  EXPECT_EQ(check("jobs", "ann").outcome, Outcome::kUnfit);
  EXPECT_EQ(charge("jobs", "ann", 1).outcome, Outcome::kUnfit);
  EXPECT_EQ(refund("jobs", "ann", 1).outcome, Outcome::kUnfit);
  EXPECT_EQ(acquire("api", "ann", 1).outcome, Outcome::kUnfit);
  EXPECT_EQ(release("api", "ann", 1).outcome, Outcome::kUnfit);
  EXPECT_EQ(check("nobody", "ann").outcome, Outcome::kNoPolicy);
  EXPECT_EQ(shard_->stats().keys, 0u);
}

TEST_F(Verbs, AThrottleDecidesByTheLimitItBrings) {
  const Limit slow = make_limit(30, 16, 60 * kSecond);
  EXPECT_EQ(throttle("ann", slow, 15).answer.remaining, 1);
  EXPECT_EQ(throttle("ann", slow).outcome, Outcome::kAdmitted);
  const Operation refused = throttle("ann", slow);
  EXPECT_EQ(refused.outcome, Outcome::kRefused);
  EXPECT_EQ(refused.answer.limit, 16);
  EXPECT_EQ(refused.answer.retry_us, 2 * kSecond);
  EXPECT_EQ(throttle("ann", slow, 0).answer.remaining, 0);
}

TEST_F(Verbs, AThrottleMayBringAnotherCountEachTime) {
  EXPECT_EQ(throttle("ann", make_limit(7'777'777, 0, kSecond), 3).outcome, Outcome::kAdmitted);
  for (const int64_t count : {1, 3, 1'000, 2}) {
    throttle("ann", make_limit(count, 0, 60 * kSecond));
    now_ += 100 * kSecond;
  }
  EXPECT_EQ(throttle("ann", make_limit(3, 0, kSecond)).answer.remaining, 2);
}

TEST_F(Verbs, AnUndoGivesBackWhatWasChargedButNothingToALaterWindow) {
  policy("fixed", Algorithm::kFixedWindow, {make_limit(10, 0, kSecond)});
  policy("sliding", Algorithm::kSlidingWindow, {make_limit(10, 0, kSecond)});
  policy("rate", Algorithm::kGcra, {make_limit(10, 0, kSecond)});
  for (const char* name : {"fixed", "sliding", "rate"}) {
    SCOPED_TRACE(name);
    now_ = kNoon + kSecond - kMs;  // the last of a window
    check(name, "ann", 4);
    Operation undo = operation(Verb::kUndo, name, "ann", 4);
    undo.charged_at = now_;
    EXPECT_EQ(decide(undo).answer.remaining, 10);

    check(name, "ann", 4);
    now_ += kMs;
    const int64_t before = check(name, "ann", 3).answer.remaining;
    const int64_t after = decide(undo).answer.remaining;
    EXPECT_EQ(after, std::string_view(name) == "rate" ? before + 4 : before);
    reset(name, "ann");
  }
}

TEST_F(Verbs, ABatchIsDecidedInOrder) {
  policy("api", Algorithm::kGcra, {make_limit(100, 0, 3600 * kSecond)});
  std::vector<Operation> batch;
  for (int i = 0; i < 500; ++i) batch.push_back(operation(Verb::kCheck, "api", "hot"));
  batch[200].verb = Verb::kReset;
  shard_->decide(batch, now_);
  for (int i = 0; i < 500; ++i) {
    const int since_fresh = i < 200 ? i : i - 201;
    if (i == 200) continue;
    EXPECT_EQ(batch[static_cast<size_t>(i)].outcome,
              since_fresh < 100 ? Outcome::kAdmitted : Outcome::kRefused)
        << i;
  }
}

TEST_F(Verbs, AClockThatStepsBackAdmitsNoMore) {
  for (const Algorithm algorithm :
       {Algorithm::kGcra, Algorithm::kTokenBucket, Algorithm::kSlidingLog,
        Algorithm::kSlidingWindow, Algorithm::kFixedWindow}) {
    const std::string name(to_string(algorithm));
    policy(name, algorithm, {make_limit(3, 0, kSecond)});
    EXPECT_TRUE(admits(name, "ann", 3));
    now_ -= 3600 * kSecond;
    EXPECT_FALSE(admits(name, "ann")) << name;
    now_ += 3600 * kSecond;
  }
}

}  // namespace
}  // namespace toll::engine
