// Requests as one call of the script, and its reply dealt out.
#include <cstdint>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "tests/unit/store_fixture.h"

namespace toll::engine {
namespace {

using Added = StoreBatch::Added;

// ---- what is asked ----

TEST_F(StoreBatchTest, AnItemSaysWhatItCostsUnderWhichRule) {
  check("api", "ann", 3);
  const Call call = pack();
  ASSERT_EQ(call.rules.size(), 1u);
  EXPECT_EQ(call.rules[0],
            (std::vector<int64_t>{0, 10, 10 * kSecond, 0, kUnitsMax * kSecond, 0, 0, 0}));
  ASSERT_EQ(call.items.size(), 1u);
  EXPECT_EQ(call.items[0].verb, 0);
  EXPECT_EQ(call.items[0].times, 1);
  ASSERT_EQ(call.items[0].parts.size(), 1u);
  EXPECT_EQ(call.items[0].parts[0].key, 1);
  EXPECT_EQ(call.items[0].parts[0].a, 3 * kSecond);
  EXPECT_EQ(call.items[0].parts[0].b, 0);
  EXPECT_EQ(batch_.arguments().size(), 1u);
}

TEST_F(StoreBatchTest, EqualChecksOfAKeyAreOneItemDealtInOrder) {
  for (int i = 0; i < 3; ++i) check("api", "ann", 2);
  check("api", "bob", 2);
  const Call call = pack();
  EXPECT_EQ(keys(), "gcra:api:ann gcra:api:bob");
  ASSERT_EQ(call.items.size(), 2u);
  EXPECT_EQ(call.items[0].times, 3);
  EXPECT_EQ(call.items[1].times, 1);

  // Five of ten are left, so the third is refused.
  ASSERT_TRUE(deal({2, kNoon + 5 * kSecond, 0, 1, 0, 0}));
  EXPECT_EQ(questions_[0].outcome(), Outcome::kAdmitted);
  EXPECT_EQ(questions_[0].answer().remaining, 3);
  EXPECT_EQ(questions_[1].outcome(), Outcome::kAdmitted);
  EXPECT_EQ(questions_[1].answer().remaining, 1);
  EXPECT_EQ(questions_[2].outcome(), Outcome::kRefused);
  EXPECT_EQ(questions_[2].answer().remaining, 1);
  EXPECT_EQ(questions_[2].answer().retry_us, kSecond);
  EXPECT_EQ(questions_[2].answer().reset_us, 9 * kSecond);
  EXPECT_EQ(questions_[3].answer().remaining, 8);
  for (const Question& each : questions_) EXPECT_EQ(each.request.result, StoreResult::kDecided);
}

TEST_F(StoreBatchTest, OnlyEqualChecksInARowAreMerged) {
  check("api", "ann");
  check("api", "ann", 2);
  check("api", "ann", 2);
  ask(Verb::kPeek, "api", "ann");
  check("api", "ann", 2);
  check("two", "ann");
  check("two", "ann");
  ask_together({{"two", "ann"}, {"api", "eve"}});
  check("two", "ann");
  const Call call = pack();
  std::vector<int64_t> times;
  for (const Call::Item& item : call.items) times.push_back(item.times);
  EXPECT_EQ(times, (std::vector<int64_t>{1, 2, 1, 1, 2, 1, 1}));
}

TEST_F(StoreBatchTest, WhatTouchesOneOfTheKeysEndsTheMerging) {
  check("two", "ann");
  check("two", "ann");
  ask(Verb::kRepay, "two", "ann");  // of the long window alone
  check("two", "ann");
  const Call call = pack();
  ASSERT_EQ(call.items.size(), 3u);
  EXPECT_EQ(call.items[0].times, 2);
  EXPECT_EQ(call.items[2].times, 1);
}

TEST_F(StoreBatchTest, EachKeyIsNamedOnceAndStringsComeFirst) {
  check("log", "ann");
  check("window", "ann");
  check("bucket", "ann");
  check("api", "ann");
  check("sliding", "ann");
  check("window", "ann", 2);
  ask_ticket(Verb::kAcquire, 77);
  const Call call = pack();
  EXPECT_EQ(keys(),
            "tokenbucket:bucket:ann:tokens tokenbucket:bucket:ann:last gcra:api:ann "
            "slidingwindow:sliding:ann ratelimit:log:ann concurrency:jobs:ann "
            "ratelimit:window:ann:");
  EXPECT_EQ(call.strings, 4);
  std::vector<int64_t> numbers;
  for (const Call::Item& item : call.items) numbers.push_back(item.parts[0].key);
  EXPECT_EQ(numbers, (std::vector<int64_t>{5, 7, 1, 3, 4, 7, 6}));
}

TEST_F(StoreBatchTest, TicketsTravelAsTheirNumbers) {
  ask_ticket(Verb::kAcquire, 18'000'000'000'000'000'000u, 2, 1500);
  ask_ticket(Verb::kRelease, 5);
  const Call call = pack();
  ASSERT_EQ(batch_.arguments().size(), 3u);
  EXPECT_EQ(batch_.arguments()[1], "18000000000000000000");
  EXPECT_EQ(batch_.arguments()[2], "5");
  EXPECT_EQ(call.items[0].parts[0].a, 2);
  EXPECT_EQ(call.items[0].parts[0].b, 2);  // ms, rounded up
  EXPECT_EQ(call.items[0].parts[0].c, 2);
  EXPECT_EQ(call.items[1].parts[0].c, 3);
}

TEST_F(StoreBatchTest, ThrottleLooksAtItsOwnLimits) {
  const Limit limit = make_limit(10, 5, kSecond);
  const Limit same = limit;
  const Limit other = make_limit(11, 5, kSecond);
  const auto throttle = [&](const Limit& by, const std::string& id, int64_t units) -> Question& {
    Operation op = operation(Verb::kThrottle, "", id, units);
    op.throttle = &by;
    return question(op, id);
  };
  Question& first = throttle(limit, "ann", 2);
  Question& equal = throttle(same, "ann", 2);
  Question& looks = throttle(limit, "ann", 0);
  Question& bobs = throttle(other, "bob", 1);
  Question& another = throttle(other, "ann", 2);
  for (Question* each : {&first, &equal, &looks, &bobs}) EXPECT_EQ(add(*each), Added::kTaken);
  // One key under two limits is for two calls.
  EXPECT_EQ(add(another), Added::kFull);
  const Call call = pack();
  EXPECT_EQ(keys(), "throttle:ann throttle:bob");
  EXPECT_EQ(call.rules.size(), 2u);
  ASSERT_EQ(call.items.size(), 3u);
  EXPECT_EQ(call.items[0].times, 2);
  EXPECT_EQ(call.items[1].verb, 1);
  ASSERT_TRUE(deal({1, kNoon + 200 * kMs, 0, 1, kNoon + 400 * kMs, 0, 1, 0, 0}));
  EXPECT_EQ(first.outcome(), Outcome::kAdmitted);
  EXPECT_EQ(first.answer().remaining, 1);
  EXPECT_EQ(equal.outcome(), Outcome::kRefused);
  EXPECT_EQ(looks.outcome(), Outcome::kAdmitted);
  EXPECT_EQ(looks.answer().remaining, 1);
  EXPECT_EQ(looks.answer().limit, 5);
}

TEST_F(StoreBatchTest, RepaymentsAreForLongWindowsAlone) {
  Question& both = ask(Verb::kRepay, "two", "ann", 3);
  Question& none = question(Verb::kRepay, "api", "ann", 3);
  EXPECT_EQ(add(none), Added::kUnfit);
  EXPECT_EQ(none.outcome(), Outcome::kUnfit);
  const Call call = pack();
  EXPECT_EQ(keys(), "{gcra:two:ann}:28800000");
  EXPECT_EQ(call.items[0].verb, 3);
  EXPECT_EQ(call.items[0].parts.size(), 1u);
  EXPECT_EQ(call.items[0].parts[0].a, 6 * kHour);
  ASSERT_TRUE(deal({1, 0, 0}));
  EXPECT_EQ(both.request.result, StoreResult::kDecided);
  EXPECT_EQ(both.outcome(), Outcome::kDone);
}

TEST_F(StoreBatchTest, WhatCannotBeAskedSaysSo) {
  Question& unknown = question(Verb::kCheck, "nobody", "ann");
  EXPECT_EQ(add(unknown), Added::kNoPolicy);
  EXPECT_EQ(unknown.outcome(), Outcome::kNoPolicy);
  Question& unfit = question(Verb::kAcquire, "api", "ann");
  EXPECT_EQ(add(unfit), Added::kUnfit);
  EXPECT_EQ(unfit.outcome(), Outcome::kUnfit);
  Question& together = group({{"api", "ann"}, {"jobs", "ann"}, {"api", "bob"}});
  EXPECT_EQ(add(together), Added::kUnfit);
  EXPECT_EQ(together.outcome(0), Outcome::kDone);
  EXPECT_EQ(together.outcome(1), Outcome::kUnfit);
  EXPECT_EQ(together.outcome(2), Outcome::kDone);
  EXPECT_TRUE(batch_.empty());
}

TEST_F(StoreBatchTest, TwoPoliciesOnOneKeyAreForTwoCallsAndForNoGroup) {
  policy("mine", Algorithm::kSlidingLog, {make_limit(5, 0, kSecond)}, "ratelimit:{id}");
  policy("yours", Algorithm::kSlidingLog, {make_limit(9, 0, kSecond)}, "ratelimit:{id}");
  again();
  check("mine", "ann");
  check("yours", "bob");
  EXPECT_EQ(add(question(Verb::kCheck, "yours", "ann")), Added::kFull);
  Question& together = group({{"mine", "eve"}, {"yours", "eve"}});
  EXPECT_EQ(add(together), Added::kFull);
  check("mine", "ann");
  EXPECT_EQ(pack().items.size(), 2u);
  EXPECT_EQ(keys(), "ratelimit:ann ratelimit:bob");
  again();
  EXPECT_EQ(add(together), Added::kUnfit);
  EXPECT_EQ(together.outcome(1), Outcome::kUnfit);
  EXPECT_TRUE(batch_.empty());
  check("yours", "eve");
  EXPECT_EQ(pack().items.size(), 1u);
}

TEST_F(StoreBatchTest, QuickItemsComeFirstWithTheirKeys) {
  policy("third", Algorithm::kGcra, {make_limit(3, 0, 10 * kSecond)});
  StoreBatch quick(StoreBatch::Settings{.quick_max = 3});
  quick.clear(rules_);
  const auto add_to = [&](Verb verb, std::string_view of, const std::string& id, int64_t units) {
    Question& made = question(verb, of, id, units);
    EXPECT_EQ(quick.add(made.request, kNoon), Added::kTaken);
    return &made;
  };
  add_to(Verb::kCheck, "api", "twice", 1);
  add_to(Verb::kCheck, "api", "twice", 2);  // its key is named by two items
  add_to(Verb::kCheck, "third", "ann", 1);  // a unit costs no whole microseconds
  add_to(Verb::kCheck, "log", "ann", 2);    // more than an entry
  add_to(Verb::kPeek, "api", "bob", 1);     // no check
  add_to(Verb::kCheck, "two", "ann", 1);    // two limits
  Question* log = add_to(Verb::kCheck, "log", "eve", 1);
  Question* api = add_to(Verb::kCheck, "api", "eve", 4);
  Question* same = add_to(Verb::kCheck, "api", "eve", 4);
  add_to(Verb::kCheck, "api", "cat", 1);
  add_to(Verb::kCheck, "api", "dan", 1);  // one too many
  quick.pack();
  const Call call = call_of(quick);
  ASSERT_EQ(call.quick.size(), 3u);
  EXPECT_EQ(call.items.size(), 7u);
  EXPECT_EQ(call.quick_strings, 2);
  EXPECT_EQ(call.strings, 8);
  EXPECT_EQ(quick.keys()[0], "gcra:api:eve");
  EXPECT_EQ(quick.keys()[1], "gcra:api:cat");
  EXPECT_EQ(quick.keys()[8], "ratelimit:log:eve");
  EXPECT_EQ(quick.keys()[9], "ratelimit:log:ann");
  EXPECT_EQ(call.quick[0].a, 1);  // to be renewed
  EXPECT_EQ(call.quick[0].times, 1);
  EXPECT_EQ(call.quick[1].a, 4 * kSecond);
  EXPECT_EQ(call.quick[1].times, 2);
  EXPECT_TRUE(quick.deal(admit_all(quick, kNoon)));
  EXPECT_EQ(log->answer().remaining, 4);
  EXPECT_EQ(api->answer().remaining, 6);
  EXPECT_EQ(same->answer().remaining, 2);
}

// ---- groups ----

TEST_F(StoreBatchTest, AGroupIsOneItemOfAllItsKeys) {
  Question& all = ask_together({{"two", "ann", 2}, {"window", "ann"}, {"two", "ann"}});
  const Call call = pack();
  ASSERT_EQ(call.items.size(), 1u);
  ASSERT_EQ(call.items[0].parts.size(), 3u);
  EXPECT_EQ(call.items[0].parts[0].a, 3 * kSecond);  // both that ask for this key
  EXPECT_EQ(call.items[0].parts[2].a, 1);
  ASSERT_TRUE(deal({1, 0, 0, 0, 0, kNoonMs - kNoonMs % 10'000, 4}));
  EXPECT_EQ(all.answer(0).remaining, 2);
  EXPECT_EQ(all.answer(0).limit, 4);
  EXPECT_EQ(all.answer(1).remaining, 0);
  EXPECT_EQ(all.answer(2).remaining, 1);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(all.outcome(i), Outcome::kAdmitted);
}

TEST_F(StoreBatchTest, ARefusedGroupTellsWhatRefusedIt) {
  Question& all = ask_together({{"api", "ann", 2}, {"log", "ann", 2}, {"api", "bob"}});
  pack();
  // The log is full until its second entry leaves.
  ASSERT_TRUE(deal({0, kNoon + kSecond, 0, 5, kNoonMs - 1'000, kNoonMs - 4'000, 0, 0}));
  EXPECT_EQ(all.outcome(0), Outcome::kAdmitted);
  EXPECT_EQ(all.answer(0).remaining, 9);  // as before
  EXPECT_EQ(all.outcome(1), Outcome::kRefused);
  EXPECT_EQ(all.answer(1).retry_us, 6 * kSecond);
  EXPECT_EQ(all.answer(1).reset_us, 9 * kSecond);
  EXPECT_EQ(all.outcome(2), Outcome::kAdmitted);
  EXPECT_EQ(all.answer(2).remaining, 10);
}

TEST_F(StoreBatchTest, TheLaterOfTwoOnAKeySpeaksForTheirSum) {
  policy("huge", Algorithm::kGcra, {make_limit(kUnitsMax, 0, kHour)});
  again();
  Question& sum = ask_together({{"api", "ann", 6}, {"api", "ann", 5}});
  Question& beyond = ask_together({{"huge", "ann", kUnitsMax}, {"huge", "ann", kUnitsMax}});
  const Call call = pack();
  EXPECT_EQ(call.items[1].parts[0].a, kTimeMaxUs);
  ASSERT_TRUE(deal({0, 0, 0, 0, 0, 0}));
  for (const Question* each : {&sum, &beyond}) {
    EXPECT_EQ(each->outcome(0), Outcome::kAdmitted);
    EXPECT_EQ(each->outcome(1), Outcome::kRefused);
    EXPECT_EQ(each->answer(1).retry_us, kNever);
  }
  EXPECT_EQ(beyond.answer(1).remaining, kUnitsMax);
}

// ---- what is told ----

TEST_F(StoreBatchTest, TheLimitWithTheLeastLeftSpeaksAndRefusedTheLongestWait) {
  Question& admitted = check("two", "ann");
  Question& refused = check("two", "bob", 3);
  pack();
  ASSERT_TRUE(deal({1, 0, 0, kNoon + 2 * kHour, 0,  //
                    0, kNoon + 9 * kSecond, 0, kNoon + 4 * kHour, 0}));
  EXPECT_EQ(admitted.answer().limit, 4);
  EXPECT_EQ(admitted.answer().remaining, 2);
  EXPECT_EQ(refused.outcome(), Outcome::kRefused);
  EXPECT_EQ(refused.answer().limit, 4);
  EXPECT_EQ(refused.answer().retry_us, 2 * kHour);
}

TEST_F(StoreBatchTest, EveryVerbIsTold) {
  Question& peeked = ask(Verb::kPeek, "bucket", "a");
  Question& refunded = ask(Verb::kRefund, "window", "b", 2);
  Question& charged = ask(Verb::kCharge, "log", "c", 7);
  Question& reset = ask(Verb::kReset, "sliding", "d");
  Question& taken = ask_ticket(Verb::kAcquire, 1, 2, 5 * kSecond);
  Question& missed = ask_ticket(Verb::kAcquire, 2, 4);
  Question& released = ask_ticket(Verb::kRelease, 3);
  const Call call = pack();
  EXPECT_EQ(call.items[0].verb, 1);
  EXPECT_EQ(call.items[3].verb, 4);
  const int64_t window_ms = kNoonMs - kNoonMs % 10'000;
  ASSERT_TRUE(deal({1,
                    3,
                    0,
                    kNoon,  // peek
                    1,
                    window_ms,
                    5,  // refund
                    1,
                    3,
                    0,
                    0,  // charge
                    1,
                    window_ms,
                    4,
                    4,  // reset
                    1,
                    2,
                    kNoonMs + 1'000,
                    0,  // acquire
                    0,
                    4,
                    kNoonMs + 5'000,
                    kNoonMs + 3'000,  // acquire
                    3,
                    4,
                    kNoonMs + 60'000,
                    0}));  // release
  EXPECT_EQ(peeked.outcome(), Outcome::kDone);
  EXPECT_EQ(peeked.answer().remaining, 2);
  EXPECT_EQ(refunded.answer().remaining, 2);
  EXPECT_EQ(charged.answer().remaining, -5);
  EXPECT_EQ(charged.answer().reset_us, 10 * kSecond);
  EXPECT_EQ(reset.answer().remaining, 5);
  EXPECT_EQ(reset.answer().reset_us, 0);
  EXPECT_EQ(taken.outcome(), Outcome::kAdmitted);
  EXPECT_EQ(taken.answer().remaining, 1);
  EXPECT_EQ(taken.answer().reset_us, 5 * kSecond);
  EXPECT_EQ(missed.outcome(), Outcome::kRefused);
  EXPECT_EQ(missed.answer().retry_us, 3 * kSecond);
  EXPECT_EQ(released.outcome(), Outcome::kDone);
  EXPECT_EQ(released.answer().remaining, 4);
}

TEST_F(StoreBatchTest, APoisonedKeySpoilsItsOwnItemsOnly) {
  Question& spoilt = check("api", "ann");
  Question& together = ask_together({{"api", "bob"}, {"window", "bob"}});
  Question& fine = check("api", "eve");
  pack();
  ASSERT_TRUE(deal({-1, 0, 0, -1, 0, 0, 0, 0, 1, 0, 0}));
  EXPECT_EQ(spoilt.request.result, StoreResult::kPoisoned);
  EXPECT_EQ(together.request.result, StoreResult::kPoisoned);
  EXPECT_EQ(fine.request.result, StoreResult::kDecided);
  EXPECT_EQ(fine.answer().remaining, 9);
}

TEST_F(StoreBatchTest, AnAbandonedRequestIsNeverTouchedButCounts) {
  check("api", "ann");
  Question& second = check("api", "ann");
  pack();
  batch_.abandon(0);
  questions_[0].request.operations = nullptr;
  questions_[0].request.ids = nullptr;
  ASSERT_TRUE(deal({2, 0, 0}));
  EXPECT_EQ(questions_[0].request.result, StoreResult::kNone);
  EXPECT_EQ(second.answer().remaining, 8);
}

TEST_F(StoreBatchTest, TheTimeOfTheDecisionIsTold) {
  check("api", "ann");
  pack();
  EXPECT_EQ(batch_.deal(packed({kNoon + 5, 1, 0, 0})), kNoon + 5);
}

// ---- bounds ----

TEST_F(StoreBatchTest, ABatchIsBoundedButTakesAnyOneRequest) {
  const auto fill = [&](const StoreBatch::Settings& settings, const std::string& id) {
    StoreBatch small(settings);
    small.clear(rules_);
    size_t taken = 0;
    while (taken < 100 &&
           small.add(question(Verb::kCheck, "bucket", id + std::to_string(taken)).request, kNoon) ==
               Added::kTaken) {
      ++taken;
    }
    return taken;
  };
  EXPECT_EQ(fill({.requests_max = 3}, "id"), 3u);
  EXPECT_EQ(fill({.operations_max = 2}, "id"), 2u);
  // A name is 22 bytes, and twice that with :tokens and :last is 56.
  EXPECT_EQ(fill({.bytes_max = 3 * 56}, "id"), 3u);
  EXPECT_EQ(fill({.bytes_max = 3 * 56 - 1}, "id"), 2u);
  EXPECT_EQ(fill({.requests_max = 1, .operations_max = 1, .bytes_max = 1}, std::string(500, 'i')),
            1u);

  StoreBatch tiny({.requests_max = 9, .operations_max = 1, .bytes_max = 9});
  tiny.clear(rules_);
  Question& large = group(std::vector<Wanted>(200, {"two", std::string(400, 'x')}));
  EXPECT_EQ(tiny.add(large.request, kNoon), Added::kTaken);
  EXPECT_EQ(tiny.add(large.request, kNoon), Added::kFull);
}

TEST_F(StoreBatchTest, ManyKeysAreFoundAgain) {
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 500; ++i) check("api", std::to_string(i), 1 + round);
  }
  EXPECT_EQ(pack().items.size(), 1000u);
  EXPECT_EQ(batch_.keys().size(), 500u);
}

}  // namespace
}  // namespace toll::engine
