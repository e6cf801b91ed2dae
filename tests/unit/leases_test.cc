// Slices of a key, against a store that answers after a while and grants what it is asked for.
#include "engine/leases.h"

#include <cstdint>
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "engine/limits.h"
#include "tests/unit/seed.h"
#include "tests/unit/times.h"

namespace toll::engine {
namespace {

constexpr int64_t kRoundTripUs = 1'500;

struct LeasePending {
  TimeUs at = 0;
  Leases::Granted granted;
};

class LeasesTest : public testing::Test, protected Leases::Owner {
 protected:
  LeasesTest() { adopt(make_limit(1'000'000, 0, kSecond)); }

  void adopt(const Limit& limit, Algorithm algorithm = Algorithm::kGcra) {
    PolicySpec spec;
    spec.name = "p";
    spec.mode = Mode::kLeased;
    spec.algorithm = algorithm;
    spec.limits = {limit};
    const auto table = PolicyTable::build({&spec, 1}, table_.get());
    ASSERT_TRUE(table.has_value());
    limit_ = limit.burst;
    left_ = limit.burst;
    leases_.adopt(**table);
    table_ = *table;
  }

  // One check, at that time.
  Leases::Taken take(TimeUs now, int64_t units = 1, uint64_t key = 1) {
    if (pending_ && pending_->at <= now) land();
    leases_.age(now);
    Operation op;
    op.key = {.rest = key, .tag = 0, .home = 0};
    op.units = units;
    const Leases::Taken taken = leases_.take(op, "id" + std::to_string(key), now, 7);
    if (taken.from_slice) {
      of_slice_ += units;
    } else if (taken.ask_for == 0 && !taken.on_its_way) {
      exact_ += units;
      op.outcome = Outcome::kAdmitted;
      op.answer = {limit_, left_, 0, 0};
      leases_.decided(op);
    }
    if (taken.ask_for > 0) {
      ++asks_;
      granted_ += taken.ask_for;
      pending_ = {now + kRoundTripUs,
                  {.units = taken.ask_for,
                   .sent = now,
                   .life_us = taken.life_us,
                   .until = now + taken.life_us,
                   .serial = taken.serial}};
    }
    return taken;
  }
  void land() {
    leases_.age(pending_->at);
    leases_.grant(key(1), pending_->granted, {limit_, left_, 0, 0}, pending_->at);
    pending_.reset();
  }
  static KeyHash key(uint64_t rest) { return {.rest = rest, .tag = 0, .home = 0}; }

  // Until a slice is there; the time.
  TimeUs until_leased(TimeUs now = kNoon) {
    while (!take(now).from_slice) now += 100;
    return now;
  }

  void give_back(const Leases::Return& what) override {
    returned_ += what.units;
    returns_.push_back(what);
  }
  void lapsed(int64_t units) override { lapsed_ += units; }
  void used(const KeyHash&, uint16_t, int64_t units) override { noted_ += units; }

  std::shared_ptr<const PolicyTable> table_;
  int64_t limit_ = 0;
  int64_t left_ = 0;
  std::optional<LeasePending> pending_;
  int64_t of_slice_ = 0;
  int64_t exact_ = 0;
  int64_t asks_ = 0;
  int64_t granted_ = 0;
  int64_t returned_ = 0;
  int64_t lapsed_ = 0;
  int64_t noted_ = 0;
  std::vector<Leases::Return> returns_;
  Leases leases_{*this, size_t{1} << 20};
};

TEST_F(LeasesTest, AtAnyRateMostOfManyRequestsAreFromSlicesAndFewAreAskedFor) {
  std::mt19937_64 random(test_seed(20'261'122));
  for (const double rate : {75.0, 200.0, 1'000.0, 20'000.0}) {
    std::exponential_distribution<double> gap(rate);
    of_slice_ = exact_ = asks_ = granted_ = returned_ = 0;
    returns_.clear();
    double at = static_cast<double>(kNoon) + rate * 1e9;
    const int requests = rate > 5'000 ? 200'000 : 4'000;
    for (int i = 0; i < requests; ++i) {
      at += gap(random) * 1e6;
      take(static_cast<TimeUs>(at));
    }
    EXPECT_GT(of_slice_, requests * 9 / 10) << rate;
    EXPECT_LT(exact_, requests / 20) << rate;
    EXPECT_LT(asks_, requests / 20) << rate;
    EXPECT_LT(returns_.size(), static_cast<size_t>(asks_ / 2)) << rate;
    EXPECT_LT(returned_, granted_ / 8) << rate;
    pending_.reset();
    leases_.drop(key(1));
  }
}

TEST_F(LeasesTest, AKeyInLittleDemandIsTheStoresOwn) {
  for (int i = 0; i < 100; ++i) take(kNoon + i * kSecond);
  EXPECT_EQ(exact_, 100);
  EXPECT_EQ(asks_, 0);
}

TEST_F(LeasesTest, NearTheLimitNothingIsSetAside) {
  left_ = 5;
  for (int i = 0; i < 1'000; ++i) take(kNoon + i * 100);
  EXPECT_EQ(asks_, 0);
  EXPECT_EQ(exact_, 1'000);
}

TEST_F(LeasesTest, ASliceIsNoMoreThanAPartOfThisHostsShareOfWhatIsLeft) {
  leases_.share_with(4);
  left_ = 800;
  for (int i = 0; i < 1'000 && !pending_; ++i) take(kNoon + i * 10, 1);
  ASSERT_TRUE(pending_);
  EXPECT_LE(pending_->granted.units, 800 / 4 / 2);
}

TEST_F(LeasesTest, UnitsAreUsedOnceAndToTheLast) {
  TimeUs now = until_leased();
  const int64_t held = leases_.units_held();
  pending_.reset();  // what was asked for ahead never comes
  for (int64_t i = 0; i < held; ++i) {
    EXPECT_TRUE(take(now).from_slice);
    pending_.reset();
  }
  EXPECT_EQ(leases_.units_held(), 0);
  EXPECT_FALSE(take(now).from_slice);
}

// A slice for 20 a period, of which so many are left when it ends.
TEST_F(LeasesTest, OfABucketWithPlentyAFewUnitsLapseAndMoreGoBack) {
  for (const int64_t rest : {1, 10, 11, 30}) {
    TimeUs now = kNoon + rest * 100 * kSecond;
    for (int i = 0; i < 20 * 10; ++i) take(now += 5'000);
    leases_.drop(key(1));
    pending_.reset();
    Operation op;
    op.key = key(1);
    op.answer = {limit_, left_, 0, 0};
    leases_.decided(op);
    ASSERT_GT(take(now).ask_for, rest);
    land();
    while (leases_.units_held() > rest) ASSERT_TRUE(leases_.use(op, now + kRoundTripUs));
    returned_ = lapsed_ = 0;
    leases_.age(leases_.next_end());
    leases_.age(now + kSecond);
    EXPECT_EQ(lapsed_, rest <= 10 ? rest : 0);
    EXPECT_EQ(returned_, rest <= 10 ? 0 : rest);
    EXPECT_EQ(leases_.units_held(), 0);
  }
}

TEST_F(LeasesTest, AfterItsEndASliceIsNotUsedAndItsRestGoesBackOnce) {
  adopt(make_limit(1'000'000, 0, kSecond), Algorithm::kFixedWindow);
  const TimeUs now = until_leased();
  const int64_t held = leases_.units_held();
  ASSERT_GT(held, 0);
  const TimeUs end = leases_.next_end();
  EXPECT_GT(end, now);
  Operation op;
  op.key = key(1);
  EXPECT_FALSE(leases_.use(op, end));
  leases_.age(end);
  ASSERT_EQ(returns_.size(), 1U);
  EXPECT_EQ(returns_[0].units, held);
  EXPECT_EQ(returns_[0].id, "id1");
  EXPECT_EQ(leases_.units_held(), 0);
  leases_.age(end + kSecond);
  leases_.give_all_back();
  EXPECT_EQ(returned_, held);
  EXPECT_EQ(noted_, of_slice_);
}

TEST_F(LeasesTest, WhatTheStoreGrantsTooLateIsNotUsed) {
  for (int i = 0; i < 1'000 && !pending_; ++i) take(kNoon + i * 100);
  ASSERT_TRUE(pending_);
  const int64_t units = pending_->granted.units;
  pending_->at = pending_->granted.sent + pending_->granted.life_us;
  const TimeUs late = pending_->at;
  EXPECT_FALSE(take(late).from_slice);
  EXPECT_EQ(returned_, units);
}

TEST_F(LeasesTest, ADroppedKeyHasNothingLeftNorTakesWhatWasOnItsWay) {
  const TimeUs now = until_leased();
  leases_.drop(key(1));
  EXPECT_EQ(leases_.units_held(), 0);
  EXPECT_FALSE(take(now).from_slice);
  leases_.give_all_back();
  EXPECT_EQ(returned_, 0);
}

TEST_F(LeasesTest, AGrantForADroppedKeyIsForgotten) {
  for (int i = 0; i < 1'000 && !pending_; ++i) take(kNoon + i * 100);
  ASSERT_TRUE(pending_);
  leases_.drop(key(1));
  land();
  EXPECT_EQ(leases_.units_held(), 0);
}

TEST_F(LeasesTest, WhoComesWhileASliceIsOnItsWayIsToldByWhichCall) {
  TimeUs now = kNoon;
  while (!pending_) take(now += 100);
  const Leases::Taken next = take(now);
  EXPECT_TRUE(next.on_its_way);
  EXPECT_EQ(next.call, 7U);
  land();
  Operation op;
  op.key = key(1);
  EXPECT_TRUE(leases_.use(op, now + kRoundTripUs));
  EXPECT_EQ(op.outcome, Outcome::kAdmitted);
  EXPECT_EQ(op.answer.limit, limit_);
}

TEST_F(LeasesTest, ALostCallGrantsNothingAndTheNextRequestIsTheStoresOwn) {
  TimeUs now = kNoon;
  while (!pending_) take(now += 100);
  leases_.not_granted(key(1), pending_->granted.serial, std::nullopt);
  pending_.reset();
  const Leases::Taken next = take(now);
  EXPECT_FALSE(next.from_slice || next.on_its_way || next.ask_for > 0);
}

TEST_F(LeasesTest, OtherLimitsGiveBackUnderTheOldRevisionAndTheSameOnesKeep) {
  until_leased();
  const int64_t held = leases_.units_held();
  adopt(make_limit(1'000'000, 0, kSecond));
  EXPECT_EQ(leases_.units_held(), held);
  const uint8_t before = table_->policies()[0].revision;
  adopt(make_limit(2'000'000, 0, kSecond));
  EXPECT_EQ(leases_.units_held(), 0);
  ASSERT_EQ(returns_.size(), 1U);
  EXPECT_EQ(returns_[0].revision, before);
}

TEST_F(LeasesTest, AfterTheEndNothingIsAskedFor) {
  TimeUs now = until_leased();
  pending_.reset();
  leases_.give_all_back();
  for (int i = 0; i < 1'000; ++i) {
    const Leases::Taken taken = take(now += 100);
    EXPECT_FALSE(taken.from_slice || taken.ask_for > 0);
  }
}

TEST_F(LeasesTest, KeysInDemandTakeThePlacesOfThoseInLess) {
  Leases small(*this, 1);  // a single bucket
  small.adopt(*table_);
  TimeUs now = kNoon;
  for (int round = 0; round < 50; ++round) {
    for (uint64_t rest = 1; rest <= 40; ++rest) {
      Operation op;
      op.key = {.rest = rest, .tag = 0, .home = 0};
      op.outcome = Outcome::kAdmitted;
      const int times = rest <= 3 ? 20 : 1;
      for (int i = 0; i < times; ++i) {
        const Leases::Taken taken = small.take(op, "id", now, 0);
        op.answer = {limit_, left_, 0, 0};
        if (taken.ask_for > 0) {
          small.grant(op.key, {taken.ask_for, now, taken.life_us, now, taken.serial}, op.answer,
                      now);
        } else if (!taken.from_slice) {
          small.decided(op);
        }
        of_slice_ += taken.from_slice && rest <= 3 ? 1 : 0;
        now += 20;
      }
    }
  }
  EXPECT_GT(of_slice_, 50 * 60 / 2);
}

TEST(LeasedPolicies, OnlyThoseWhoseWindowsAreLongEnoughAndWhoseUnitsAreNoEntries) {
  struct NoOwner final : Leases::Owner {
    void give_back(const Leases::Return&) override {}
    void lapsed(int64_t) override {}
    void used(const KeyHash&, uint16_t, int64_t) override {}
  } owner;
  const auto leases = [&](Algorithm algorithm, Mode mode, int64_t window_us) {
    PolicySpec spec;
    spec.name = "p";
    spec.mode = mode;
    spec.algorithm = algorithm;
    spec.limits = {make_limit(100, 0, window_us)};
    Leases all(owner, 1);
    all.adopt(**PolicyTable::build({&spec, 1}, nullptr));
    return all.leases(0);
  };
  EXPECT_TRUE(leases(Algorithm::kGcra, Mode::kLeased, kSecond));
  EXPECT_TRUE(leases(Algorithm::kTokenBucket, Mode::kLeased, kSecond));
  EXPECT_TRUE(leases(Algorithm::kFixedWindow, Mode::kLeased, kSecond));
  EXPECT_TRUE(leases(Algorithm::kSlidingWindow, Mode::kLeased, kSecond));
  EXPECT_FALSE(leases(Algorithm::kSlidingLog, Mode::kLeased, kSecond));
  EXPECT_FALSE(leases(Algorithm::kConcurrency, Mode::kLeased, kSecond));
  EXPECT_FALSE(leases(Algorithm::kGcra, Mode::kExact, kSecond));
  EXPECT_FALSE(leases(Algorithm::kGcra, Mode::kLocal, kSecond));
  EXPECT_FALSE(leases(Algorithm::kGcra, Mode::kLeased, Leases::kHorizonMinUs - 1'000));
}

}  // namespace
}  // namespace toll::engine
