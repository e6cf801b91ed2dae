// Cases computed by hand. What holds for every history is in algorithms_property_test.cc.
#include "engine/algorithms.h"

#include <gtest/gtest.h>

#include "engine/limits.h"
#include "tests/unit/some_limits.h"
#include "tests/unit/times.h"

namespace toll::engine {
namespace {

constexpr TimeUs kToday = 1'790'000'040 * kSecond;  // the start of a minute

// One key under one limit, with a clock moved by hand.
template <typename Algorithm>
class Key {
 public:
  explicit Key(const Limit& limit, TimeUs now = kToday) : limit_(limit), now_(now) { at(now); }

  Key& at(TimeUs now) {
    now_ = now;
    Algorithm::advance(limit_, state_, now_);
    return *this;
  }
  Key& wait(int64_t wait_us) { return at(now_ + wait_us); }

  bool check(int64_t units = 1) {
    if (!Algorithm::admits(limit_, state_, now_, units)) return false;
    Algorithm::charge(limit_, state_, now_, units);
    return true;
  }
  Key& charge(int64_t units) {
    Algorithm::charge(limit_, state_, now_, units);
    return *this;
  }
  Key& refund(int64_t units) {
    Algorithm::refund(limit_, state_, now_, units);
    return *this;
  }
  Key& carry(const Limit& limit) {
    Algorithm::carry(limit_, limit, state_, now_);
    limit_ = limit;
    return *this;
  }
  int64_t remaining() const { return Algorithm::remaining(limit_, state_, now_); }
  int64_t retry(int64_t units = 1) const {
    return Algorithm::retry_us(limit_, state_, now_, units);
  }
  int64_t reset() const { return Algorithm::reset_us(limit_, state_, now_); }
  bool idle() const { return Algorithm::idle(limit_, state_, now_); }

 private:
  Limit limit_;
  typename Algorithm::State state_;
  TimeUs now_;
};

// What all of them promise.

template <typename Algorithm>
class EveryAlgorithm : public testing::Test {};
using Algorithms = testing::Types<Gcra, TokenBucket, FixedWindow, SlidingWindow>;
TYPED_TEST_SUITE(EveryAlgorithm, Algorithms);

TYPED_TEST(EveryAlgorithm, AFreshKeyHasItsWholeLimitAndNoMore) {
  for (const int64_t count : {int64_t{1}, int64_t{7}, int64_t{100}, kLimitCountMax}) {
    Key<TypeParam> key(per(count, kMinute));
    EXPECT_TRUE(key.idle());
    EXPECT_EQ(key.remaining(), count);
    EXPECT_EQ(key.retry(count), 0);
    EXPECT_EQ(key.reset(), 0);
    EXPECT_TRUE(key.check(count));
    EXPECT_EQ(key.remaining(), 0);
    EXPECT_FALSE(key.check());
    EXPECT_FALSE(key.idle());
  }
}

TYPED_TEST(EveryAlgorithm, MoreThanTheLimitIsNeverAdmitted) {
  Key<TypeParam> key(per(10, kMinute));
  EXPECT_EQ(key.retry(11), kNever);
  EXPECT_EQ(key.retry(kUnitsMax), kNever);
  EXPECT_FALSE(key.check(11));
  EXPECT_EQ(key.remaining(), 10);
}

TYPED_TEST(EveryAlgorithm, AskingUsesNothing) {
  Key<TypeParam> key(per(10, kMinute));
  key.check(4);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(key.remaining(), 6);
    EXPECT_EQ(key.retry(6), 0);
    EXPECT_GT(key.retry(7), 0);
    EXPECT_GT(key.reset(), 0);
  }
}

TYPED_TEST(EveryAlgorithm, ARefundNeverExceedsTheLimit) {
  Key<TypeParam> key(per(10, kMinute));
  key.check(4);
  EXPECT_EQ(key.refund(3).remaining(), 9);
  EXPECT_EQ(key.refund(3).remaining(), 10);
  EXPECT_TRUE(key.idle());
  EXPECT_EQ(key.refund(kUnitsMax).remaining(), 10);
  EXPECT_TRUE(key.check(10));
  EXPECT_FALSE(key.check());
}

TYPED_TEST(EveryAlgorithm, DebtEndsAtItsBound) {
  Key<TypeParam> key(per(10, kMs));
  EXPECT_EQ(key.charge(15).remaining(), -5);
  EXPECT_FALSE(key.check());
  for (int i = 0; i < 4; ++i) key.charge(kUnitsMax);
  EXPECT_EQ(key.remaining(), -kDebtUnitsMax);
  EXPECT_EQ(key.refund(kUnitsMax).remaining(), 0);
  EXPECT_EQ(key.refund(kUnitsMax).remaining(), 10);
}

TYPED_TEST(EveryAlgorithm, AClockThatStandsStillRefillsNothing) {
  Key<TypeParam> key(per(3, kSecond));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(key.wait(0).check());
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(key.wait(0).check());
}

TYPED_TEST(EveryAlgorithm, AClockThatStepsBackRefillsNothing) {
  Key<TypeParam> key(per(3, kSecond));
  key.check(3);
  for (const int64_t back_us : {int64_t{1}, kMs, kSecond, kOneDay}) {
    key.wait(-back_us);
    EXPECT_FALSE(key.check()) << back_us;
    EXPECT_LE(key.remaining(), 0) << back_us;
    EXPECT_GT(key.retry(), back_us) << back_us;
    EXPECT_GT(key.reset(), back_us) << back_us;
  }
  EXPECT_FALSE(key.at(kToday).check());
  EXPECT_TRUE(key.at(kToday + 2 * kSecond).check(3));
}

TYPED_TEST(EveryAlgorithm, ClocksAtBothEndsOfTimeDoNoHarm) {
  Key<TypeParam> key(per(3, kSecond), 0);
  EXPECT_TRUE(key.check(3));
  EXPECT_FALSE(key.check());
  EXPECT_TRUE(key.at(kTimeMaxUs).check(3));
  EXPECT_FALSE(key.check());
  EXPECT_FALSE(key.at(0).check());
  EXPECT_GT(key.retry(), kTimeMaxUs - kSecond);
}

TYPED_TEST(EveryAlgorithm, CarryingToAnotherLimitKeepsWhatWasUsed) {
  Key<TypeParam> key(per(100, kMinute));
  key.check(30);
  EXPECT_EQ(key.carry(per(50, kMinute)).remaining(), 20);
  EXPECT_EQ(key.carry(per(5000, kHour)).remaining(), 4970);
  EXPECT_EQ(key.carry(per(10, kSecond)).remaining(), -20);
  EXPECT_EQ(key.carry(per(100, kMinute)).remaining(), 70);
}

TYPED_TEST(EveryAlgorithm, CarryingAFreshKeyLeavesItFresh) {
  Key<TypeParam> key(per(100, kMinute));
  EXPECT_TRUE(key.carry(per(5, kHour)).idle());
  EXPECT_EQ(key.remaining(), 5);
}

// gcra and token bucket: units come back one by one, every window / count.

template <typename Algorithm>
class Bucket : public testing::Test {};
using Buckets = testing::Types<Gcra, TokenBucket>;
TYPED_TEST_SUITE(Bucket, Buckets);

TYPED_TEST(Bucket, UnitsComeBackOneIntervalAtATime) {
  Key<TypeParam> key(per(10, kSecond));
  key.check(10);
  EXPECT_EQ(key.retry(), 100 * kMs);
  EXPECT_EQ(key.retry(3), 300 * kMs);
  EXPECT_EQ(key.reset(), kSecond);
  EXPECT_FALSE(key.at(kToday + 100 * kMs - 1).check());
  EXPECT_EQ(key.retry(), 1);
  EXPECT_TRUE(key.at(kToday + 100 * kMs).check());
  EXPECT_EQ(key.remaining(), 0);
  EXPECT_FALSE(key.at(kToday + 200 * kMs - 1).check());
  EXPECT_TRUE(key.at(kToday + 200 * kMs).check());
}

TYPED_TEST(Bucket, AThirdOfASecondIsNotRoundedInTheLongRun) {
  // 3/1s: units are back at 333333.3, 666666.6 and exactly 1000000 us, for ever.
  Key<TypeParam> key(per(3, kSecond));
  key.check(3);
  for (int64_t second = 0; second < 1000; ++second) {
    const TimeUs start = kToday + second * kSecond;
    for (const int64_t back_us : {int64_t{333'334}, int64_t{666'667}, kSecond}) {
      EXPECT_FALSE(key.at(start + back_us - 1).check());
      EXPECT_TRUE(key.at(start + back_us).check());
    }
  }
}

TYPED_TEST(Bucket, ABurstIsWhatCanBeUsedAtOnce) {
  Key<TypeParam> key(make_limit(600, 50, kMinute));
  EXPECT_EQ(key.remaining(), 50);
  EXPECT_EQ(key.retry(51), kNever);
  EXPECT_TRUE(key.check(50));
  EXPECT_EQ(key.reset(), 5 * kSecond);
  EXPECT_EQ(key.wait(kHour).remaining(), 50);
}

TYPED_TEST(Bucket, ABurstAboveTheCountTakesSeveralWindows) {
  Key<TypeParam> key(make_limit(2, 10, kSecond));
  EXPECT_TRUE(key.check(10));
  EXPECT_EQ(key.reset(), 5 * kSecond);
  EXPECT_EQ(key.wait(kSecond).remaining(), 2);
}

TYPED_TEST(Bucket, ManyUnitsInAMicrosecondAreCountedOneByOne) {
  // 2147483647 units in 1 ms: 2147483.647 of them come back in a microsecond.
  Key<TypeParam> key(per(kLimitCountMax, kMs));
  EXPECT_TRUE(key.check(kLimitCountMax));
  EXPECT_EQ(key.wait(1).remaining(), 2'147'483);
  EXPECT_EQ(key.wait(1).remaining(), 4'294'967);
  EXPECT_EQ(key.wait(998).remaining(), kLimitCountMax);
  EXPECT_TRUE(key.idle());
}

TYPED_TEST(Bucket, TheSlowestLimitIsExact) {
  Key<TypeParam> key(per(1, kWindowMaxUs));
  EXPECT_TRUE(key.check());
  EXPECT_EQ(key.retry(), kWindowMaxUs);
  EXPECT_FALSE(key.wait(kWindowMaxUs - 1).check());
  EXPECT_TRUE(key.wait(1).check());
}

TYPED_TEST(Bucket, DebtIsPaidOffAtTheRateOfTheLimit) {
  Key<TypeParam> key(per(10, kSecond));
  EXPECT_EQ(key.charge(25).remaining(), -15);
  EXPECT_EQ(key.retry(), 1'600 * kMs);
  EXPECT_EQ(key.reset(), 2'500 * kMs);
  EXPECT_EQ(key.wait(1).remaining(), -15);  // a part of a unit is not one yet
  EXPECT_EQ(key.wait(100 * kMs).remaining(), -14);
}

TYPED_TEST(Bucket, AChangedBurstLeavesAPartlyRefilledUnitAlone) {
  Key<TypeParam> key(make_limit(10, 10, kSecond));
  key.check(10);
  key.wait(50 * kMs).carry(make_limit(10, 20, kSecond));
  EXPECT_EQ(key.remaining(), 10);
  EXPECT_EQ(key.retry(11), 50 * kMs);
}

TYPED_TEST(Bucket, AChangedRateRoundsAPartlyRefilledUnitAgainstTheClient) {
  Key<TypeParam> key(per(10, kSecond));
  key.check(10);
  key.wait(150 * kMs).carry(per(20, kSecond));
  EXPECT_EQ(key.remaining(), 11);  // 8.5 used count as 9
  EXPECT_EQ(key.retry(12), 50 * kMs);
}

TEST(Gcra, DebtEndsWithTheTimeLine) {
  Key<Gcra> key(per(1, kHour));
  key.charge(kUnitsMax);
  EXPECT_EQ(key.reset(), kTimeMaxUs - kToday);
  EXPECT_EQ(key.remaining(), 1 - (kTimeMaxUs - kToday + kHour - 1) / kHour);
  EXPECT_EQ(key.retry(), kTimeMaxUs - kToday);
}

TEST(Gcra, WhatTheLimitToleratesIsAdmittedEvenAtTheEndOfTime) {
  Key<Gcra> key(per(2, kHour), kTimeMaxUs);
  EXPECT_TRUE(key.check(2));
  EXPECT_FALSE(key.check());
  EXPECT_EQ(key.retry(), kHour / 2);
}

TEST(Gcra, AChargeWhileTheClockIsBackGivesNothingBack) {
  Key<Gcra> key(per(kLimitCountMax, kMs));
  key.check(kLimitCountMax);
  key.at(kToday - kHour).charge(1);  // far more debt than there may be, all of it the clock's
  EXPECT_EQ(key.remaining(), -kDebtUnitsMax);
  EXPECT_FALSE(key.at(kToday).check());
}

TEST(Gcra, ALimitPastAllBoundsRefusesRatherThanOverflows) {
  Key<Gcra> key(make_limit(1, kLimitCountMax, kWindowMaxUs));
  EXPECT_FALSE(key.check(kUnitsMax));
  EXPECT_TRUE(key.check());
  EXPECT_LT(key.remaining(), kLimitCountMax);
}

TEST(TokenBucket, AClockThatStepsBackRefillsOnlyFromItsNewestTime) {
  Key<TokenBucket> key(per(10, kSecond));
  key.check(10);
  EXPECT_EQ(key.at(kToday - kSecond).remaining(), 0);
  EXPECT_EQ(key.retry(), kSecond + 100 * kMs);
  EXPECT_EQ(key.at(kToday).remaining(), 0);
  EXPECT_EQ(key.at(kToday + 100 * kMs).remaining(), 1);
}

TEST(TokenBucket, WaitsLongerThanTimeAreCutToIt) {
  Key<TokenBucket> key(per(1, kWindowMaxUs));
  key.charge(kUnitsMax);
  EXPECT_EQ(key.retry(), kTimeMaxUs);
  EXPECT_EQ(key.reset(), kTimeMaxUs);
}

// Windows.

TEST(FixedWindow, AWindowEndsAtItsEdgeAndNotAMillisecondEarlier) {
  Key<FixedWindow> key(per(10, kMinute), kToday + 45 * kSecond);
  key.check(10);
  EXPECT_EQ(key.retry(), 15 * kSecond);
  EXPECT_EQ(key.reset(), 15 * kSecond);
  EXPECT_FALSE(key.at(kToday + kMinute - kMs).check());
  EXPECT_EQ(key.retry(), kMs);
  EXPECT_FALSE(key.at(kToday + kMinute - 1).check());
  EXPECT_EQ(key.retry(), kMs);
  EXPECT_TRUE(key.at(kToday + kMinute).check(10));
  EXPECT_FALSE(key.at(kToday + kMinute + 1).check());
  EXPECT_EQ(key.retry(), kMinute);
}

TEST(FixedWindow, ARefundGivesBackOnlyInTheWindowOfTheRequest) {
  Key<FixedWindow> key(per(10, kMinute));
  key.check(8);
  key.wait(kMinute).check(3);
  EXPECT_EQ(key.refund(8).remaining(), 10);
  EXPECT_TRUE(key.idle());
}

TEST(FixedWindow, AClockThatStepsBackStaysInTheNewestWindow) {
  Key<FixedWindow> key(per(10, kMinute));
  key.check(4);
  key.at(kToday - 5 * kSecond);
  EXPECT_EQ(key.remaining(), 6);
  EXPECT_EQ(key.reset(), kMinute + 5 * kSecond);
  EXPECT_TRUE(key.check(6));
  EXPECT_FALSE(key.at(kToday + kMinute - kMs).check());
  EXPECT_TRUE(key.at(kToday + kMinute).check(10));
}

TEST(FixedWindow, CalendarMonthsEndWhenTheyDo) {
  // 2024-02-28 00:00:00 UTC.
  const TimeUs start = 1'709'078'400 * kSecond;
  Key<FixedWindow> key(make_limit(5, 5, 0, Calendar::kMonth), start);
  key.check(5);
  EXPECT_EQ(key.retry(), 2 * kOneDay);  // to the end of the 29th
  EXPECT_FALSE(key.at(start + 2 * kOneDay - kMs).check());
  EXPECT_TRUE(key.at(start + 2 * kOneDay).check(5));
  EXPECT_EQ(key.retry(), 31 * kOneDay);
}

TEST(FixedWindow, CarryMovesWhatWasUsedIntoTheWindowThatIsNow) {
  Key<FixedWindow> key(per(10, kMinute), kToday + 45 * kSecond);
  key.check(4);
  key.carry(per(10, 10 * kSecond));
  EXPECT_EQ(key.reset(), 5 * kSecond);
  EXPECT_EQ(key.wait(5 * kSecond).remaining(), 10);
}

TEST(FixedWindow, CarryWhileTheClockIsBackStaysAtTheNewestTime) {
  Key<FixedWindow> key(per(10, kMinute));
  key.check(4);
  key.wait(-5 * kSecond).carry(per(10, 10 * kSecond));
  EXPECT_EQ(key.remaining(), 6);
  EXPECT_EQ(key.reset(), 15 * kSecond);
}

TEST(FixedWindow, CarryForgetsAWindowThatHasPassed) {
  Key<FixedWindow> key(per(10, kMinute));
  key.check(4);
  EXPECT_TRUE(key.wait(kMinute).carry(per(10, kHour)).idle());
}

TEST(SlidingWindow, ThePreviousWindowFadesMillisecondByMillisecond) {
  Key<SlidingWindow> key(per(10, 10 * kMs));
  key.check(10);
  EXPECT_EQ(key.remaining(), 0);
  EXPECT_EQ(key.at(kToday + 9 * kMs).remaining(), 0);
  EXPECT_EQ(key.at(kToday + 10 * kMs - 1).remaining(), 0);
  EXPECT_EQ(key.at(kToday + 10 * kMs).remaining(), 0);  // all of it still in view
  EXPECT_EQ(key.at(kToday + 11 * kMs - 1).remaining(), 0);
  EXPECT_EQ(key.at(kToday + 11 * kMs).remaining(), 1);
  EXPECT_EQ(key.at(kToday + 19 * kMs).remaining(), 9);
  EXPECT_FALSE(key.idle());
  EXPECT_EQ(key.at(kToday + 20 * kMs).remaining(), 10);
  EXPECT_TRUE(key.idle());
}

TEST(SlidingWindow, TheWeightIsRoundedUp) {
  Key<SlidingWindow> key(per(100, kSecond));
  key.check(3);
  EXPECT_EQ(key.at(kToday + 1'500 * kMs).remaining(), 98);  // 3 * 500 / 1000 is 1.5
  EXPECT_EQ(key.at(kToday + 1'999 * kMs).remaining(), 99);  // 0.003
}

TEST(SlidingWindow, RetryFindsTheMillisecondInThisWindow) {
  Key<SlidingWindow> key(per(10, kSecond));
  key.check(8);
  key.at(kToday + kSecond).check(2);
  // 2 + ceil(8 * view / 1000) <= 9 when view <= 875; <= 7 when view <= 625.
  EXPECT_EQ(key.retry(), 125 * kMs);
  EXPECT_EQ(key.retry(3), 375 * kMs);
  EXPECT_FALSE(key.at(kToday + 1'125 * kMs - 1).check());
  EXPECT_EQ(key.retry(), kMs);  // whole milliseconds, as wait_ms() would round it
  EXPECT_TRUE(key.at(kToday + 1'125 * kMs).check());
}

TEST(SlidingWindow, RetryFindsTheMillisecondInTheNextWindow) {
  Key<SlidingWindow> key(per(10, kSecond));
  key.check(10);
  // This window's ten become the next one's previous: ceil(10 * view / 1000) <= 9 when view <= 900.
  EXPECT_EQ(key.retry(), 1'100 * kMs);
  EXPECT_EQ(key.retry(10), 2 * kSecond);
  EXPECT_EQ(key.reset(), 2 * kSecond);
}

TEST(SlidingWindow, RetryOfNearlyAllWaitsForTheEdge) {
  Key<SlidingWindow> key(per(10, kSecond));
  key.check(1);
  key.at(kToday + kSecond + 300 * kMs);
  EXPECT_EQ(key.remaining(), 9);
  EXPECT_EQ(key.retry(10), 700 * kMs);
  EXPECT_EQ(key.reset(), 700 * kMs);
}

TEST(SlidingWindow, ARefundTakesFromThisWindowFirst) {
  Key<SlidingWindow> key(per(10, kSecond));
  key.check(6);
  key.at(kToday + 1'500 * kMs).check(2);
  EXPECT_EQ(key.remaining(), 5);            // 10 - 2 - 6/2
  EXPECT_EQ(key.refund(2).remaining(), 7);  // this window is empty
  EXPECT_EQ(key.refund(2).remaining(), 8);  // 4/2 are left of the previous
  EXPECT_EQ(key.refund(9).remaining(), 10);
  EXPECT_TRUE(key.idle());
}

TEST(SlidingWindow, AClockThatStepsBackHasAllThePreviousWindowInView) {
  Key<SlidingWindow> key(per(10, kSecond));
  key.check(8);
  EXPECT_EQ(key.at(kToday + 1'500 * kMs).remaining(), 6);
  EXPECT_EQ(key.at(kToday + 500 * kMs).remaining(), 2);
  // 8 * view / 1000 <= 7 when view <= 875, which is 625 ms from here.
  EXPECT_EQ(key.retry(3), 625 * kMs);
}

TEST(SlidingWindow, MonthsAreWeightedWithTheLengthOfTheCurrentOne) {
  // All of January's 30 are in view on 1 February 2023; half of them after 14 of 28 days.
  const TimeUs february = 1'675'209'600 * kSecond;
  Key<SlidingWindow> key(make_limit(30, 30, 0, Calendar::kMonth), february - kOneDay);
  key.check(30);
  EXPECT_EQ(key.at(february).remaining(), 0);
  EXPECT_EQ(key.at(february + 14 * kOneDay).remaining(), 15);
  EXPECT_EQ(key.retry(30), 14 * kOneDay);
  EXPECT_EQ(key.at(february + 28 * kOneDay).remaining(), 30);
}

TEST(SlidingWindow, RetryPastAMonthsEndCountsWithTheNextOnesLength) {
  // On 31 January 30 are used. A third of them is out of view after a third of February's 28 days.
  const TimeUs february = 1'675'209'600 * kSecond;
  Key<SlidingWindow> key(make_limit(30, 30, 0, Calendar::kMonth), february - kOneDay);
  key.check(30);
  EXPECT_EQ(key.retry(15), kOneDay + 14 * kOneDay);
  EXPECT_EQ(key.reset(), kOneDay + 28 * kOneDay);
}

TEST(SlidingWindow, CarryKeepsWhatTheWeightLeft) {
  Key<SlidingWindow> key(per(10, kMinute));
  key.check(8);
  key.at(kToday + kMinute + 30 * kSecond).check(1);
  EXPECT_EQ(key.remaining(), 5);  // 1 and half of 8
  EXPECT_EQ(key.carry(per(10, 10 * kSecond)).remaining(), 5);
  EXPECT_EQ(key.reset(), 20 * kSecond);  // five in the current window, none in the previous
}

TEST(SlidingWindow, CarryWhileTheClockIsBackStaysAtTheNewestTime) {
  Key<SlidingWindow> key(per(10, kMinute));
  key.check(4);
  key.wait(-5 * kSecond).carry(per(10, 10 * kSecond));
  EXPECT_EQ(key.remaining(), 6);
  EXPECT_EQ(key.reset(), 25 * kSecond);
}

TEST(SlidingWindow, CarryToTheSameWindowsKeepsThePreviousOne) {
  Key<SlidingWindow> key(per(10, kMinute));
  key.check(8);
  key.at(kToday + kMinute + 30 * kSecond).carry(per(20, kMinute));
  EXPECT_EQ(key.remaining(), 16);
  EXPECT_EQ(key.reset(), 30 * kSecond);
}

}  // namespace
}  // namespace toll::engine
