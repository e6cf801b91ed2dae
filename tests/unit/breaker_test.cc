// The circuit breaker, transition by transition.
#include "engine/breaker.h"

#include <algorithm>
#include <cstdint>
#include <gtest/gtest.h>

#include "tests/unit/times.h"

namespace toll::engine {
namespace {

class BreakerTest : public testing::Test {
 protected:
  // One call from its start to its end.
  void call(Breaker::Call what, int64_t duration_us = kMs) {
    ASSERT_TRUE(breaker_.allow(now_));
    now_ += duration_us;
    breaker_.report(what, duration_us, now_);
  }
  void calls(int count, Breaker::Call what, int64_t duration_us = kMs) {
    for (int i = 0; i < count; ++i) call(what, duration_us);
  }
  void done(int count) { calls(count, Breaker::Call::kDone); }
  void fail(int count) { calls(count, Breaker::Call::kFailed); }
  void open() {
    breaker_.trip(now_);
    ASSERT_EQ(breaker_.state(), BreakerState::kOpen);
  }
  void wait() { now_ = std::max(now_, breaker_.retry_at()); }
  // Starts as many calls as it allows now.
  int start_all() {
    int started = 0;
    while (started < 1000 && breaker_.allow(now_)) ++started;
    return started;
  }
  void report(int count, Breaker::Call what = Breaker::Call::kDone, int64_t duration_us = kMs) {
    now_ += duration_us;
    for (int i = 0; i < count; ++i) breaker_.report(what, duration_us, now_);
  }

  BreakerSettings settings_;
  Breaker breaker_{settings_, 1};
  TimeUs now_ = kNoon;
};

TEST_F(BreakerTest, OpensAtTheLastOfTheFailuresInARow) {
  fail(4);
  EXPECT_EQ(breaker_.state(), BreakerState::kClosed);
  done(1);
  fail(4);
  EXPECT_EQ(breaker_.state(), BreakerState::kClosed);
  fail(1);
  EXPECT_EQ(breaker_.state(), BreakerState::kOpen);
  EXPECT_EQ(breaker_.cause(), "failures in a row");
  EXPECT_EQ(breaker_.trips(), 1u);
  EXPECT_FALSE(breaker_.allow(now_));
}

TEST_F(BreakerTest, RatesAreNotJudgedByTooFewCalls) {
  for (int i = 0; i < 9; ++i) {
    fail(1);
    done(1);
  }
  fail(1);
  EXPECT_EQ(breaker_.state(), BreakerState::kClosed);  // 10 of 19
  done(1);
  EXPECT_EQ(breaker_.state(), BreakerState::kOpen);  // 10 of 20
  EXPECT_EQ(breaker_.cause(), "failure rate");
}

TEST_F(BreakerTest, LessThanTheFailureRateIsBorne) {
  for (int i = 0; i < 300; ++i) {
    done(1);
    fail(1);
    done(1);
  }
  EXPECT_EQ(breaker_.state(), BreakerState::kClosed);
}

TEST_F(BreakerTest, WhatIsOlderThanASecondIsForgotten) {
  done(10);
  for (int i = 0; i < 3; ++i) {
    fail(3);
    done(1);
  }  // 9 of 22
  EXPECT_EQ(breaker_.state(), BreakerState::kClosed);
  now_ += kSecond;
  for (int i = 0; i < 8; ++i) {
    fail(1);
    done(1);
  }  // with the old ones 17 of 38, by themselves too few
  fail(2);
  EXPECT_EQ(breaker_.state(), BreakerState::kClosed);  // 10 of 18
  done(1);
  fail(1);
  EXPECT_EQ(breaker_.state(), BreakerState::kOpen);  // 11 of 20
}

TEST_F(BreakerTest, ASecondHasTenSlices) {
  now_ = kNoon + 90 * kMs;  // at the end of a slice
  for (int i = 0; i < 9; ++i) {
    breaker_.report(Breaker::Call::kFailed, 0, now_);
    breaker_.report(Breaker::Call::kDone, 0, now_);
  }
  now_ = kNoon + 999 * kMs;  // of the ten slices the first is the one of the calls
  breaker_.report(Breaker::Call::kFailed, 0, now_);
  breaker_.report(Breaker::Call::kDone, 0, now_);
  EXPECT_EQ(breaker_.state(), BreakerState::kOpen);

  Breaker later(settings_, 1);
  now_ = kNoon + 90 * kMs;
  for (int i = 0; i < 9; ++i) {
    later.report(Breaker::Call::kFailed, 0, now_);
    later.report(Breaker::Call::kDone, 0, now_);
  }
  now_ = kNoon + 1000 * kMs;
  later.report(Breaker::Call::kFailed, 0, now_);
  later.report(Breaker::Call::kDone, 0, now_);
  EXPECT_EQ(later.state(), BreakerState::kClosed);
}

TEST_F(BreakerTest, SlowCallsOpenItThoughTheyWereAnswered) {
  for (int i = 0; i < 15; ++i) breaker_.report(Breaker::Call::kDone, 50 * kMs + 1, now_);
  for (int i = 0; i < 4; ++i) breaker_.report(Breaker::Call::kDone, 50 * kMs, now_);
  EXPECT_EQ(breaker_.state(), BreakerState::kClosed);
  breaker_.report(Breaker::Call::kDone, 50 * kMs + 1, now_);
  EXPECT_EQ(breaker_.state(), BreakerState::kOpen);  // 16 of 20
  EXPECT_EQ(breaker_.cause(), "slow calls");
}

TEST_F(BreakerTest, ASlowFailureCountsAsSlowToo) {
  for (int i = 0; i < 8; ++i) {
    breaker_.report(Breaker::Call::kFailed, 60 * kMs, now_);
    breaker_.report(Breaker::Call::kDone, 60 * kMs, now_);
  }
  for (int i = 0; i < 4; ++i) breaker_.report(Breaker::Call::kDone, kMs, now_);
  EXPECT_EQ(breaker_.cause(), "slow calls");
}

TEST_F(BreakerTest, AVoidCallSaysNothing) {
  for (int i = 0; i < 100; ++i) {
    fail(2);
    calls(20, Breaker::Call::kVoid, kSecond);
    done(3);
  }
  EXPECT_EQ(breaker_.state(), BreakerState::kClosed);
}

TEST_F(BreakerTest, ProbesComeInRoundsOfOneThreeAndTen) {
  open();
  wait();
  for (const int round : {1, 3, 10}) {
    EXPECT_EQ(start_all(), round);
    EXPECT_EQ(breaker_.state(), BreakerState::kHalfOpen);
    for (int back = 1; back < round; ++back) {
      report(1);
      EXPECT_EQ(start_all(), 0) << "the round of " << round << " after " << back;
    }
    report(1);
  }
  EXPECT_EQ(breaker_.state(), BreakerState::kClosed);
  EXPECT_EQ(breaker_.trips(), 1u);
}

TEST_F(BreakerTest, AVoidProbeIsSentAgain) {
  open();
  wait();
  for (const int round : {1, 3, 10}) {
    EXPECT_EQ(start_all(), round);
    report(round, Breaker::Call::kVoid, kHour);
    EXPECT_EQ(start_all(), round);
    report(round - 1);
    report(1, Breaker::Call::kVoid);
    EXPECT_EQ(start_all(), 1);
    report(1);
  }
  EXPECT_EQ(breaker_.state(), BreakerState::kClosed);
}

TEST_F(BreakerTest, OneProbeThatFailsOrIsSlowOpensAgain) {
  for (const int good_rounds : {0, 1, 2}) {
    for (const bool slow : {false, true}) {
      Breaker fresh(settings_, 1);
      breaker_ = fresh;
      open();
      wait();
      const int rounds[] = {1, 3, 10};
      for (int i = 0; i < good_rounds; ++i) report(start_all());
      ASSERT_EQ(start_all(), rounds[good_rounds]);
      if (slow) {
        report(1, Breaker::Call::kDone, 50 * kMs + 1);
      } else {
        report(1, Breaker::Call::kFailed);
      }
      EXPECT_EQ(breaker_.state(), BreakerState::kOpen);
      EXPECT_EQ(breaker_.cause(), slow ? "a probe was slow" : "a probe failed");
      EXPECT_EQ(breaker_.trips(), 1u);  // it was not closed in between
      EXPECT_GT(breaker_.retry_at(), now_);
    }
  }
}

TEST_F(BreakerTest, WaitsDoubleWithJitterUpToTheLongest) {
  bool varies = false;
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    breaker_ = Breaker(settings_, seed);
    open();
    int64_t most_us = settings_.open_us;
    for (int i = 0; i < 10; ++i) {
      const int64_t wait_us = breaker_.retry_at() - now_;
      EXPECT_GT(wait_us, most_us / 2);
      EXPECT_LE(wait_us, most_us);
      varies = varies || wait_us < most_us * 3 / 4;
      now_ = breaker_.retry_at() - 1;
      EXPECT_FALSE(breaker_.allow(now_));
      wait();
      fail(1);
      most_us = std::min(2 * most_us, settings_.open_max_us);
    }
    EXPECT_EQ(most_us, settings_.open_max_us);
  }
  EXPECT_TRUE(varies);
}

TEST_F(BreakerTest, AfterItClosedTheFirstWaitIsShortAgainAndNothingIsHeldAgainstTheStore) {
  fail(5);
  for (int i = 0; i < 4; ++i) {
    wait();
    fail(1);
  }
  wait();
  done(14);
  ASSERT_EQ(breaker_.state(), BreakerState::kClosed);
  fail(4);
  EXPECT_EQ(breaker_.state(), BreakerState::kClosed);
  fail(1);
  EXPECT_EQ(breaker_.state(), BreakerState::kOpen);
  EXPECT_EQ(breaker_.trips(), 2u);
  EXPECT_LE(breaker_.retry_at() - now_, settings_.open_us);
}

TEST_F(BreakerTest, TrippingOpensAtOnceAndWhereOpenChangesNothing) {
  breaker_.trip(now_);
  EXPECT_EQ(breaker_.state(), BreakerState::kOpen);
  EXPECT_EQ(breaker_.cause(), "the store cannot serve or is disconnected");
  const TimeUs retry_at = breaker_.retry_at();
  breaker_.trip(now_ + kMs);
  EXPECT_EQ(breaker_.retry_at(), retry_at);
  EXPECT_EQ(breaker_.trips(), 1u);
  wait();
  ASSERT_EQ(start_all(), 1);
  breaker_.trip(now_);
  EXPECT_EQ(breaker_.state(), BreakerState::kOpen);
  EXPECT_GT(breaker_.retry_at() - now_, settings_.open_us / 2);
  report(1);  // the probe comes back late
  EXPECT_EQ(breaker_.state(), BreakerState::kOpen);
}

TEST_F(BreakerTest, CallsFromBeforeItOpenedAreNoProbes) {
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(breaker_.allow(now_));
  const TimeUs sent = now_;
  now_ += 10 * kMs;
  for (int i = 0; i < 5; ++i) breaker_.report(Breaker::Call::kFailed, now_ - sent, now_);
  ASSERT_EQ(breaker_.state(), BreakerState::kOpen);
  wait();
  ASSERT_EQ(start_all(), 1);
  now_ += 10 * kMs;
  breaker_.report(Breaker::Call::kFailed, now_ - sent, now_);
  breaker_.report(Breaker::Call::kDone, now_ - sent, now_);
  EXPECT_EQ(breaker_.state(), BreakerState::kHalfOpen);
  EXPECT_EQ(start_all(), 0);
  breaker_.report(Breaker::Call::kDone, 10 * kMs, now_);
  EXPECT_EQ(start_all(), 3);
  report(3);
  report(start_all());
  ASSERT_EQ(breaker_.state(), BreakerState::kClosed);
  breaker_.report(Breaker::Call::kFailed, now_ - sent, now_);
  fail(4);
  EXPECT_EQ(breaker_.state(), BreakerState::kClosed);
}

TEST_F(BreakerTest, AClockThatStepsBackDoesNotKeepItOpen) {
  open();
  now_ -= kHour;
  EXPECT_FALSE(breaker_.allow(now_));
  now_ += settings_.open_us;
  EXPECT_EQ(start_all(), 1);
  now_ -= kHour;  // under a probe
  breaker_.report(Breaker::Call::kDone, kMs, now_);
  report(start_all());
  report(start_all());
  EXPECT_EQ(breaker_.state(), BreakerState::kClosed);
}

TEST_F(BreakerTest, AfterAStepBackRatesAreStillJudged) {
  for (int i = 0; i < 30; ++i) call(Breaker::Call::kDone, 30 * kMs);
  now_ -= kHour;
  for (int i = 0; i < 9; ++i) {
    fail(1);
    done(1);
  }
  EXPECT_EQ(breaker_.state(), BreakerState::kClosed);
  fail(1);
  done(1);
  EXPECT_EQ(breaker_.state(), BreakerState::kOpen);
}

TEST_F(BreakerTest, OnAClockThatStandsStillRoundsAreStillRounds) {
  open();
  wait();
  for (const int round : {1, 3, 10}) {
    EXPECT_EQ(start_all(), round);
    report(round, Breaker::Call::kDone, 0);
  }
  EXPECT_EQ(breaker_.state(), BreakerState::kClosed);
  for (int i = 0; i < 5; ++i) call(Breaker::Call::kFailed, 0);
  EXPECT_EQ(breaker_.state(), BreakerState::kOpen);
}

TEST_F(BreakerTest, ReportsThatNobodyAskedForBreakNothing) {
  open();
  report(100);
  report(100, Breaker::Call::kVoid);
  wait();
  EXPECT_EQ(start_all(), 1);
  report(1);
  report(100, Breaker::Call::kVoid);  // three probes are due, none of them is out
  EXPECT_EQ(start_all(), 3);
}

TEST_F(BreakerTest, AnInvitationLetsAnOpenOneProbeAtOnceAndNoMore) {
  open();
  EXPECT_FALSE(breaker_.allow(now_));
  breaker_.invite(now_);
  EXPECT_EQ(start_all(), 1);
  EXPECT_EQ(breaker_.state(), BreakerState::kHalfOpen);
  breaker_.invite(now_);
  EXPECT_FALSE(breaker_.allow(now_));
}

}  // namespace
}  // namespace toll::engine
