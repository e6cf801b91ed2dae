// Replies that are none: cut short, changed, or lying. Nothing is dealt, and nothing crashes.
#include <cstdint>
#include <gtest/gtest.h>
#include <random>
#include <string>
#include <vector>

#include "tests/unit/store_fixture.h"

namespace toll::engine {
namespace {

class StoreReply : public StoreTest {
 protected:
  StoreReply() {
    for (const Algorithm algorithm :
         {Algorithm::kGcra, Algorithm::kTokenBucket, Algorithm::kSlidingLog,
          Algorithm::kSlidingWindow, Algorithm::kFixedWindow}) {
      const std::string name(to_string(algorithm));
      policy(name, algorithm, {make_limit(10, 0, kSecond), make_limit(50, 0, kHour)});
      policy(name + "1", algorithm, {make_limit(10, 0, kSecond)});
    }
    policy("monthly", Algorithm::kSlidingWindow, {make_limit(50, 0, 0, Calendar::kMonth)});
    policy("jobs", Algorithm::kConcurrency, {make_limit(5, 0, kSecond)});
  }

  void add(Question& question) {
    ASSERT_EQ(batch_.add(question.request, kNoon), StoreBatch::Added::kTaken);
  }

  // One of everything.
  void fill() {
    batch_.clear(rules_);
    for (const Policy& policy : table_->policies()) {
      const std::string& name = policy.spec.name;
      if (name == "jobs") continue;
      for (const Verb verb :
           {Verb::kCheck, Verb::kPeek, Verb::kRefund, Verb::kCharge, Verb::kReset}) {
        add(question(verb, name, "ann", 2));
      }
      add(question(Verb::kCheck, name, "ann"));
      add(question(Verb::kCheck, name, "ann"));
    }
    for (const Verb verb : {Verb::kAcquire, Verb::kPeek, Verb::kRelease}) {
      Operation op = operation(verb, "jobs", "ann");
      op.ticket = 7;
      add(question(op, "ann"));
    }
    add(group({{"gcra", "ann", 3}, {"sliding_log", "ann"}, {"gcra", "ann"}, {"monthly", "bob"}}));
    batch_.pack();
  }

  // Whether the reply to that one question, of these numbers behind the time, was believed.
  bool believes(Question& asked, std::vector<int64_t> numbers) {
    asked.request.result = StoreResult::kNone;
    batch_.clear(rules_);
    add(asked);
    batch_.pack();
    numbers.insert(numbers.begin(), kNoon);
    const bool believed = batch_.deal(packed(numbers)).has_value();
    EXPECT_EQ(asked.request.result != StoreResult::kNone, believed);
    return believed;
  }

  void expect_nothing_dealt() {
    for (const Question& each : questions_) ASSERT_EQ(each.request.result, StoreResult::kNone);
  }

  StoreBatch batch_{StoreBatch::Settings{.quick_max = 0}};
};

TEST_F(StoreReply, ThePatternIsBelieved) {
  fill();
  EXPECT_TRUE(batch_.deal(admit_all(batch_, kNoon)));
}

TEST_F(StoreReply, EveryTruncationIsRefused) {
  fill();
  const std::string whole = admit_all(batch_, kNoon);
  for (size_t size = 0; size < whole.size(); ++size) {
    // In memory of its own, so that a sanitizer sees a step too far.
    const std::vector<char> cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
    ASSERT_FALSE(batch_.deal({cut.data(), cut.size()})) << size;
  }
  expect_nothing_dealt();
  EXPECT_FALSE(batch_.deal(whole + "\x01"));
  expect_nothing_dealt();
}

TEST_F(StoreReply, RandomChangesNeverCrash) {
  fill();
  const std::string whole = admit_all(batch_, kNoon);
  constexpr uint64_t kSeed = 11;
  RecordProperty("seed", static_cast<int>(kSeed));
  std::mt19937_64 random(kSeed);
  size_t believed = 0;
  for (int round = 0; round < 50'000; ++round) {
    std::string changed = whole;
    for (uint64_t changes = 1 + random() % 3; changes > 0; --changes) {
      changed[random() % changed.size()] = static_cast<char>(random());
    }
    if (batch_.deal(changed)) ++believed;
  }
  EXPECT_GT(believed, 100u);  // some other states are as good
  EXPECT_LT(believed, 40'000u);
}

TEST_F(StoreReply, NumbersOfAnySizeNeverCrash) {
  fill();
  const std::string whole = admit_all(batch_, kNoon);
  const uint64_t numbers = PackReader(whole).array();
  std::mt19937_64 random(12);
  for (int round = 0; round < 20'000; ++round) {
    std::vector<int64_t> reply(numbers);
    for (int64_t& number : reply) {
      const uint64_t bits = random();
      number = static_cast<int64_t>(bits >> (bits % 64)) * (random() % 16 == 0 ? -1 : 1);
      if (random() % 2 == 0) number = static_cast<int64_t>(random() % 3);
    }
    reply[0] = kNoon;
    [[maybe_unused]] const auto dealt = batch_.deal(packed(reply));
  }
}

TEST_F(StoreReply, AScriptThatContradictsTheStateIsNotBelieved) {
  Question& check = question(Verb::kCheck, "gcra1", "ann", 6);
  EXPECT_TRUE(believes(check, {1, kNoon + 400 * kMs, 0}));
  EXPECT_FALSE(believes(check, {0, kNoon + 400 * kMs, 0}));      // there is room
  EXPECT_FALSE(believes(check, {1, kNoon + 400 * kMs + 1, 0}));  // there is none
  EXPECT_TRUE(believes(check, {0, kNoon + 400 * kMs + 1, 0}));
  EXPECT_FALSE(believes(check, {2, 0, 0}));   // it was asked once
  EXPECT_FALSE(believes(check, {-2, 0, 0}));  // no code
  EXPECT_FALSE(believes(check, {1, -1, 0}));
  EXPECT_FALSE(believes(check, {1, 0, 10}));  // no fraction of ten
  Question& peek = question(Verb::kPeek, "gcra1", "ann");
  EXPECT_FALSE(believes(peek, {0, 0, 0}));
  Question& together = group({{"gcra1", "ann"}, {"fixed_window1", "ann"}});
  EXPECT_TRUE(believes(together, {1, 0, 0, 0, 0}));
  EXPECT_FALSE(believes(together, {0, 0, 0, 0, 0}));  // nobody refuses
  EXPECT_FALSE(believes(together, {2, 0, 0, 0, 0}));
}

TEST_F(StoreReply, StatesThatCannotBeAreNotBelieved) {
  Question& bucket = question(Verb::kCheck, "token_bucket1", "ann");
  EXPECT_TRUE(believes(bucket, {1, 2, 5, kNoon}));
  EXPECT_FALSE(believes(bucket, {1, 0, 5, kNoon}));        // a part of nothing
  EXPECT_FALSE(believes(bucket, {1, 2, kSecond, kNoon}));  // a part that is a whole
  Question& log = question(Verb::kCheck, "sliding_log1", "ann");
  EXPECT_TRUE(believes(log, {0, 10, kNoonMs, kNoonMs - 10}));
  EXPECT_FALSE(believes(log, {0, 9, kNoonMs, kNoonMs - 10}));  // refused for nothing
  // An entry of others that is about to leave, but has not.
  EXPECT_TRUE(believes(log, {0, 10, kNoonMs, kNoonMs - 1'000}));
  EXPECT_EQ(log.answer().retry_us, kMs);
  EXPECT_FALSE(believes(log, {1, -1, 0, 0}));
  Question& months = question(Verb::kCheck, "monthly", "ann");
  EXPECT_TRUE(believes(months, {1, 0, 0, 0}));
  EXPECT_FALSE(believes(months, {1, kNoonMs, 0, 0}));  // no month begins at noon
  Operation op = operation(Verb::kRelease, "jobs", "ann");
  op.ticket = 3;
  Question& release = question(op, "ann");
  EXPECT_TRUE(believes(release, {2, 2, kNoonMs + 9, 0}));
  EXPECT_FALSE(believes(release, {3, 2, kNoonMs + 9, 0}));  // more than there was
}

}  // namespace
}  // namespace toll::engine
