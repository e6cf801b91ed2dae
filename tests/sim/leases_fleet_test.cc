// A fleet's leases against the real script and on a clock of their own: never over, and next to
// nothing of a limit that is in demand is left unused.
#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <gtest/gtest.h>
#include <iostream>
#include <memory>
#include <random>
#include <string_view>

#include "engine/leases.h"
#include "tests/sim/script_store.h"
#include "tests/unit/seed.h"
#include "tests/unit/times.h"

namespace toll::sim {
namespace {

using engine::Algorithm;
using engine::Operation;
using engine::Outcome;
using engine::Verb;

constexpr int64_t kLimit = 5'000;
constexpr int64_t kWindowUs = 10 * kSecond;
constexpr size_t kHosts = 4;

// One of the daemons, with a single key.
class Host final : private engine::Leases::Owner {
 public:
  Host(ScriptStore& store, const engine::PolicyTable& table) : store_(store) {
    leases_.adopt(table);
    leases_.share_with(kHosts);
  }

  // A check of one unit.
  bool check(int64_t now_us) {
    turn(now_us);
    Operation operation = of(Verb::kCheck, 1);
    const engine::Leases::Taken taken = leases_.take(operation, kId, now_us, 0);
    if (taken.ask_for > 0) ask_for(taken, now_us);
    if (taken.from_slice) {
      ++from_slices;
      return true;
    }
    if (leases_.use(operation, now_us)) return true;
    if (now_us < refused_until_us_) return false;
    store_.decide(operation, kId, now_us);
    leases_.decided(operation);
    if (operation.outcome == Outcome::kAdmitted) return true;
    refused_until_us_ = now_us + std::min(operation.answer.retry_us, kNewsUs);
    return false;
  }
  void turn(int64_t now_us) {
    now_us_ = now_us;
    leases_.age(now_us);
  }

  int64_t from_slices = 0;

 private:
  static constexpr std::string_view kId = "hot";
  // What comes back elsewhere is told so soon.
  static constexpr int64_t kNewsUs = 100 * kMs;

  static Operation of(Verb verb, int64_t units) {
    Operation operation;
    operation.key = {.rest = 1, .tag = 0, .home = 0};
    operation.verb = verb;
    operation.units = units;
    return operation;
  }

  void ask_for(const engine::Leases::Taken& taken, int64_t now_us) {
    Operation asked = of(Verb::kLease, taken.ask_for);
    asked.lease_us = taken.life_us;
    store_.decide(asked, kId, now_us);
    if (asked.outcome != Outcome::kAdmitted) {
      return leases_.not_granted(asked.key, taken.serial, asked.answer.remaining);
    }
    leases_.grant(asked.key,
                  {.units = asked.granted,
                   .sent = now_us,
                   .life_us = asked.answer.retry_us,
                   .until = asked.lease_us,
                   .serial = taken.serial},
                  asked.answer, now_us);
  }

  void give_back(const engine::Leases::Return& what) override {
    Operation back = of(Verb::kReturn, what.units);
    back.lease_us = what.until;
    back.revision = what.revision;
    store_.decide(back, kId, now_us_);
  }
  void lapsed(int64_t) override {}
  void used(const engine::KeyHash&, uint16_t, int64_t) override {}

  ScriptStore& store_;
  engine::Leases leases_{*this, size_t{1} << 16};
  int64_t now_us_ = kNoon;
  int64_t refused_until_us_ = 0;
};

// The limit as it reads, counted apart from everything: of a bucket, units that come back bit by
// bit; of windows, so many in each.
class Model {
 public:
  explicit Model(Algorithm algorithm)
      : bucket_(algorithm == Algorithm::kGcra || algorithm == Algorithm::kTokenBucket) {}

  void admitted(int64_t now_us) {
    if (bucket_) {
      const double rate = static_cast<double>(kLimit) / static_cast<double>(kWindowUs);
      level_ = std::max(0.0, level_ - rate * static_cast<double>(now_us - at_us_));
      at_us_ = now_us;
    } else if (now_us / kWindowUs != at_us_ / kWindowUs) {
      at_us_ = now_us;
      level_ = 0;
    }
    level_ += 1;
    highest = std::max(highest, level_);
  }

  double highest = 0;

 private:
  const bool bucket_;
  double level_ = 0;
  int64_t at_us_ = 0;
};

class LeasesFleet : public testing::TestWithParam<Algorithm> {};

// Three times as much as the limit is wanted, six tenths of it on one host; in the middle the
// demand moves to another host.
TEST_P(LeasesFleet, UnevenDemandUsesALimitUpAndNeverPassesIt) {
  engine::PolicySpec spec;
  spec.name = "p";
  spec.mode = engine::Mode::kLeased;
  spec.algorithm = GetParam();
  spec.limits = {engine::make_limit(kLimit, 0, kWindowUs)};
  const auto table = *engine::PolicyTable::build({&spec, 1}, nullptr);
  ScriptStore store(table);
  std::deque<Host> hosts;
  for (size_t i = 0; i < kHosts; ++i) hosts.emplace_back(store, *table);

  std::mt19937_64 random(test_seed(1));
  std::exponential_distribution<double> gap(3.0 * kLimit / kWindowUs);
  std::discrete_distribution<size_t> who{6, 2, 1, 1};
  Model model(GetParam());
  int64_t admitted = 0;
  constexpr int64_t kBegin = kNoon / kWindowUs * kWindowUs;
  constexpr int kWindows = 4;
  double at = 0;
  while (at < kWindows * kWindowUs) {
    at += gap(random);
    const int64_t now_us = kBegin + static_cast<int64_t>(at);
    const size_t moved = at < kWindows * kWindowUs / 2 ? 0 : 1;
    if (!hosts[(who(random) + moved) % kHosts].check(now_us)) continue;
    model.admitted(now_us);
    // Of the first window all that was there from before, and what comes back.
    if (at >= kWindowUs) ++admitted;
  }
  EXPECT_LE(model.highest, kLimit + 1e-3);
  EXPECT_GE(admitted, (kWindows - 1) * kLimit * 98 / 100);
  int64_t from_slices = 0;
  for (const Host& host : hosts) from_slices += host.from_slices;
  std::cout << admitted << " of " << (kWindows - 1) * kLimit << ", " << from_slices
            << " from slices, " << store.calls() << " calls\n";
  // A bucket or a sliding window in such demand is always near its limit, where all is the store's.
  EXPECT_GT(from_slices, GetParam() == Algorithm::kFixedWindow ? admitted / 2 : admitted / 20);
}

INSTANTIATE_TEST_SUITE_P(All, LeasesFleet,
                         testing::Values(Algorithm::kGcra, Algorithm::kTokenBucket,
                                         Algorithm::kFixedWindow, Algorithm::kSlidingWindow));

}  // namespace
}  // namespace toll::sim
