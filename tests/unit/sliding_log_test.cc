// The rolling window: cases by hand, and random histories against a plain list of every unit.
// TOLL_SEED replays a failure, which prints its seed.
#include "engine/sliding_log.h"

#include <algorithm>
#include <cstdint>
#include <gtest/gtest.h>
#include <random>
#include <vector>

#include "engine/limits.h"
#include "engine/memory_budget.h"
#include "tests/unit/seed.h"
#include "tests/unit/times.h"

namespace toll::engine {
namespace {

// One log and what a test says to it.
class SlidingLogTest : public testing::Test {
 protected:
  void limit(int64_t count, int64_t window_ms) { limit_ = make_limit(count, 0, window_ms * kMs); }
  void at(TimeUs now) {
    now_ = now;
    SlidingLog::advance(store_, limit_, state_, now_);
  }
  bool admits(int64_t units) const { return SlidingLog::admits(limit_, state_, now_, units); }
  void charge(int64_t units) {
    ASSERT_TRUE(store_.reserve(1));
    SlidingLog::charge(store_, limit_, state_, now_, units);
  }
  void refund(int64_t units) { SlidingLog::refund(store_, limit_, state_, now_, units); }
  int64_t remaining() const { return SlidingLog::remaining(limit_, state_, now_); }
  int64_t retry_ms(int64_t units) const {
    return wait_ms(SlidingLog::retry_us(store_, limit_, state_, now_, units));
  }
  int64_t reset_ms() { return wait_ms(SlidingLog::reset_us(store_, limit_, state_, now_)); }

  MemoryBudget budget_{size_t{4} << 20};
  BlockStore store_{budget_};
  Limit limit_ = make_limit(3, 0, kSecond);
  SlidingLog::State state_;
  TimeUs now_ = 0;
};

TEST_F(SlidingLogTest, AnEntryCountsForExactlyOneWindow) {
  at(kNoon);
  charge(3);
  at(kNoon + 999 * kMs);
  EXPECT_FALSE(admits(1));
  EXPECT_EQ(retry_ms(1), 1);
  at(kNoon + kSecond);
  EXPECT_TRUE(admits(3));
  EXPECT_EQ(store_.in_use(), 0u);
}

TEST_F(SlidingLogTest, AWaitEndsWhenTheOldestEntriesThatAreNeededLeave) {
  at(kNoon);
  charge(1);
  at(kNoon + 100 * kMs);
  charge(1);
  at(kNoon + 300 * kMs);
  charge(1);
  EXPECT_EQ(retry_ms(1), 700);
  EXPECT_EQ(retry_ms(2), 800);
  EXPECT_EQ(retry_ms(3), 1000);
  EXPECT_EQ(retry_ms(4), kNever);
  EXPECT_EQ(reset_ms(), 1000);
}

TEST_F(SlidingLogTest, WhatHappensInOneMillisecondIsOneEntry) {
  limit(1000, 1000);
  at(kNoon);
  for (int i = 0; i < 500; ++i) charge(1);
  EXPECT_EQ(remaining(), 500);
  EXPECT_EQ(store_.in_use(), 1u);
}

TEST_F(SlidingLogTest, ARefundTakesTheNewestFirst) {
  at(kNoon);
  charge(2);
  at(kNoon + 500 * kMs);
  charge(1);
  refund(2);
  EXPECT_EQ(remaining(), 2);
  EXPECT_EQ(reset_ms(), 500);
  refund(9);
  EXPECT_EQ(remaining(), 3);
  EXPECT_EQ(store_.in_use(), 0u);
}

TEST_F(SlidingLogTest, DebtIsBounded) {
  at(kNoon);
  for (int i = 0; i < 3; ++i) charge(kUnitsMax);
  EXPECT_EQ(remaining(), -kSlidingLogDebtMax);
  EXPECT_LE(store_.in_use(), 1u);
  limit(1, 1000);  // by a reload: what is owed stays, and no more can be
  charge(1);
  EXPECT_EQ(remaining(), -kSlidingLogDebtMax - 2);
  refund(kUnitsMax);
  EXPECT_EQ(remaining(), 1);
}

TEST_F(SlidingLogTest, AClockThatStepsBackAdmitsNoMore) {
  at(kNoon);
  charge(3);
  at(kNoon - 5 * kSecond);
  EXPECT_FALSE(admits(1));
  EXPECT_EQ(retry_ms(1), 6000);
  charge(1);  // into debt, filed at the newest time
  at(kNoon + 999 * kMs);
  EXPECT_EQ(remaining(), -1);
  at(kNoon + kSecond);
  EXPECT_EQ(remaining(), 3);
}

TEST_F(SlidingLogTest, AShorterWindowAfterAReloadForgetsWhatItNoLongerSees) {
  at(kNoon);
  charge(1);
  at(kNoon + 600 * kMs);
  charge(1);
  const Limit old = limit_;
  limit(2, 500);
  SlidingLog::carry(old, limit_, state_, now_);
  at(now_);
  EXPECT_EQ(remaining(), 1);
}

// Every unit by itself, in a list. What has left the window is gone, however the clock steps then.
class Model {
 public:
  Model(int64_t count, int64_t window_ms) : count_(count), window_ms_(window_ms) {}

  void at(int64_t now_ms) {
    asked_ms_ = now_ms;
    const int64_t gone_ms = this->now_ms() - window_ms_;
    std::erase_if(units_, [&](int64_t unit_ms) { return unit_ms <= gone_ms; });
  }
  int64_t remaining_at(int64_t time_ms) const {
    return count_ - std::count_if(units_.begin(), units_.end(),
                                  [&](int64_t unit_ms) { return unit_ms > time_ms - window_ms_; });
  }
  int64_t remaining() const { return remaining_at(now_ms()); }
  void charge(int64_t units) { units_.insert(units_.end(), static_cast<size_t>(units), now_ms()); }
  void refund(int64_t units) {
    while (units-- > 0 && !units_.empty()) units_.pop_back();
  }
  // By trying every millisecond.
  int64_t wait_ms_for(int64_t remaining) const {
    if (this->remaining() >= remaining) return 0;
    for (int64_t time_ms = now_ms();; ++time_ms) {
      if (remaining_at(time_ms) >= remaining) return time_ms - asked_ms_;
    }
  }

 private:
  int64_t now_ms() const { return units_.empty() ? asked_ms_ : std::max(asked_ms_, units_.back()); }

  int64_t count_;
  int64_t window_ms_;
  int64_t asked_ms_ = 0;
  std::vector<int64_t> units_;  // when, oldest first
};

class SlidingLogHistory : public SlidingLogTest {
 protected:
  void compare(const Model& model, int64_t units) {
    ASSERT_EQ(remaining(), model.remaining());
    ASSERT_EQ(admits(units), model.remaining() >= units);
    ASSERT_EQ(reset_ms(), model.wait_ms_for(limit_.count));
    ASSERT_EQ(retry_ms(units), units > limit_.count ? kNever : model.wait_ms_for(units));
    ASSERT_EQ(SlidingLog::idle(limit_, state_, now_), model.remaining() == limit_.count);
  }

  void run(std::mt19937_64& random) {
    limit(1 + static_cast<int64_t>(random() % 12), 1 + static_cast<int64_t>(random() % 50));
    SlidingLog::clear(store_, state_);
    Model model(limit_.count, limit_.window_us / kUsPerMs);
    TimeUs now = kNoon;
    for (int step = 0; step < 60; ++step) {
      // Mostly forwards, often by less than a millisecond, sometimes back.
      now += static_cast<TimeUs>(random() % 4 == 0 ? 0 : random() % 9'000);
      if (random() % 12 == 0) now -= static_cast<TimeUs>(random() % 60'000);
      at(now);
      model.at(now / kUsPerMs);
      const auto units = 1 + static_cast<int64_t>(random() % 5);
      compare(model, units);
      const uint64_t what = random() % 10;
      if (what == 0) {
        refund(units);
        model.refund(units);
      } else if (what == 1 || admits(units)) {
        charge(units);
        model.charge(units);
      }
      compare(model, units);
      ASSERT_EQ(store_.in_use(), state_.entries.blocks());
    }
  }
};

TEST_F(SlidingLogHistory, AgreesWithAListOfEveryUnit) {
  const uint64_t seed = test_seed(20'260'103);
  SCOPED_TRACE("TOLL_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int history = 0; history < 400 && !HasFatalFailure(); ++history) run(random);
}

}  // namespace
}  // namespace toll::engine
