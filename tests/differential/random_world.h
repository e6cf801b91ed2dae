// Random policies, and random requests under them: what a differential test feeds to both sides.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "engine/dark_usage.h"
#include "engine/policy.h"
#include "engine/shard.h"
#include "tests/unit/times.h"

namespace toll::engine {

class RandomWorld {
 public:
  explicit RandomWorld(uint64_t seed) : random_(seed) {
    constexpr std::array<int64_t, 6> kScales{10 * kMs, kSecond, 60 * kSecond,
                                             kHour,    kOneDay, 366 * kOneDay};
    scale_us_ = kScales[static_cast<size_t>(between(0, kScales.size() - 1))];
    large_ = chance(35);
    several_percent_ = chance(40) ? 0 : 60;
    std::vector<PolicySpec> specs;
    for (size_t i = 0; i < kPolicies; ++i) specs.push_back(policy(i));
    table_ = *PolicyTable::build(specs, nullptr);
    for (Limit& limit : throttles_) limit = limit_for(Algorithm::kGcra);
    throttled_alike_ = chance(50);
    if (throttled_alike_) {
      const Limit& first = throttles_[0];
      throttles_[1] = make_limit(first.count, 1, first.window_us);
      throttles_[2] = make_limit(first.count, 0, std::max(first.window_us / 7, kMs));
    }
    // Between 2100 and 2110.
    now_ = 4'102'444'800 * kSecond + between(0, 3650 * kOneDay);
  }

  const std::shared_ptr<const PolicyTable>& table() const { return table_; }
  TimeUs now() const { return now_; }

  int64_t between(int64_t least, int64_t most) {
    return std::uniform_int_distribution<int64_t>(least, most)(random_);
  }
  bool chance(int percent) { return between(1, 100) <= percent; }

  // From not at all to many windows.
  void step() {
    const std::vector<Limit>& limits = any_policy().spec.limits;
    const int64_t window_us =
        limits[static_cast<size_t>(between(0, static_cast<int64_t>(limits.size()) - 1))].window_us;
    switch (between(0, 9)) {
      case 0:
      case 1:
        return;
      case 2:
        now_ += between(1, 999);
        return;
      case 3:
        now_ += between(1, 50) * kMs;
        return;
      case 4:
        now_ += window_us;
        return;
      case 5:
        // Up to the end of a window, where the epoch lays them.
        now_ += window_us - now_ % window_us - between(0, 1);
        return;
      case 6:
        now_ += between(0, 5 * window_us);
        return;
      default:
        now_ += between(0, window_us / between(1, 20) + 1);
        return;
    }
  }

  void step_back() { now_ -= between(0, 3 * scale_us_); }

  // One operation, and whom it is about. Tickets are taken from what was handed out.
  Operation operation(std::string& id) {
    Operation op;
    const int64_t which = between(0, kIds - 1);
    id = "id" + std::to_string(which);
    if (chance(12)) {
      op.verb = Verb::kThrottle;
      const int64_t limit = throttled_alike_ ? between(0, kIds - 1) : which;
      op.throttle = &throttles_[static_cast<size_t>(limit)];
      op.units = chance(20) ? 0 : units_for(Algorithm::kGcra, *op.throttle);
      op.key = hasher_(kThrottlePolicy, id);
      return op;
    }
    const Policy& policy = any_policy();
    op.policy = policy.id;
    op.key = hasher_(policy.id, id);
    op.units = units_for(policy.spec.algorithm, policy.spec.limits[0]);
    op.verb = verb_for(policy.spec);
    if (policy.spec.algorithm != Algorithm::kConcurrency) return op;
    if (op.verb == Verb::kAcquire) {
      op.ticket = ++tickets_;
      if (chance(50)) op.ttl_us = between(1, 3 * policy.spec.limits[0].window_us);
    } else if (op.verb == Verb::kRelease) {
      op.ticket = static_cast<uint64_t>(
          std::max<int64_t>(static_cast<int64_t>(tickets_) - between(0, 30), 1));
    }
    return op;
  }

  // One of a group.
  Operation check(std::string& id) {
    for (;;) {
      Operation op = operation(id);
      if (op.verb == Verb::kThrottle) continue;
      if (table_->find(op.policy)->spec.algorithm == Algorithm::kConcurrency) continue;
      op.verb = Verb::kCheck;
      return op;
    }
  }

 private:
  static constexpr size_t kPolicies = 14;
  static constexpr int64_t kIds = 3;

  const Policy& any_policy() {
    return table_->policies()[static_cast<size_t>(between(0, kPolicies - 1))];
  }

  PolicySpec policy(size_t index) {
    PolicySpec spec;
    spec.name = "p" + std::to_string(index);
    spec.algorithm = static_cast<Algorithm>(index % 6);
    const bool one = spec.algorithm == Algorithm::kConcurrency || !chance(several_percent_);
    const int64_t count = one ? 1 : between(2, 4);
    for (int64_t i = 0; i < count; ++i) spec.limits.push_back(limit_for(spec.algorithm));
    if (chance(20)) {
      spec.key_template = "own:{policy}:{{id}}";
      if (spec.algorithm == Algorithm::kFixedWindow) spec.key_template += ":{window}";
    }
    return spec;
  }

  int64_t count_for(Algorithm algorithm) {
    const bool entries =
        algorithm == Algorithm::kSlidingLog || algorithm == Algorithm::kConcurrency;
    if (large_ && !entries && chance(70)) {
      return between(1, chance(50) ? 5'000'000 : kUnitsMax);
    }
    if (chance(60)) return between(1, 20);
    // So that a unit of gcra often costs whole microseconds.
    return chance(50) ? between(1, 30) * 10 : between(1, 300);
  }

  // Most of one scale, so that what happens within a window and past its end is seen for many.
  int64_t window_for(Algorithm algorithm) {
    constexpr std::array<int64_t, 7> kUsual{kMs,       100 * kMs, kSecond,      60 * kSecond,
                                            5 * kHour, kOneDay,   366 * kOneDay};
    if (chance(20)) return kUsual[static_cast<size_t>(between(0, kUsual.size() - 1))];
    if (chance(30)) return scale_us_;
    const int64_t window_us = between(scale_us_ / 10, scale_us_);
    const bool any = algorithm == Algorithm::kGcra || algorithm == Algorithm::kTokenBucket;
    return any && chance(50) ? window_us : window_us / kMs * kMs;
  }

  Limit limit_for(Algorithm algorithm) {
    for (;;) {
      const bool bursts = algorithm == Algorithm::kGcra || algorithm == Algorithm::kTokenBucket;
      const bool calendar =
          algorithm == Algorithm::kSlidingWindow || algorithm == Algorithm::kFixedWindow;
      Calendar laid = Calendar::kNone;
      if (calendar && chance(40)) laid = chance(60) ? Calendar::kMonth : Calendar::kDay;
      const Limit limit =
          make_limit(count_for(algorithm), bursts && chance(50) ? count_for(algorithm) : 0,
                     window_for(algorithm), laid);
      if (limit_fault(algorithm, limit).empty()) return limit;
    }
  }

  // From one to the limit and beyond; where every unit is an entry, not beyond all measure.
  int64_t units_for(Algorithm algorithm, const Limit& limit) {
    const bool entries =
        algorithm == Algorithm::kSlidingLog || algorithm == Algorithm::kConcurrency;
    if (chance(55)) return 1;
    if (chance(60)) return between(1, limit.burst);
    if (chance(60)) return std::max<int64_t>(limit.burst / between(1, 8), 1);
    if (chance(70) || entries) return std::min(limit.burst + between(0, 2), kUnitsMax);
    return chance(50) ? kUnitsMax : between(1, kUnitsMax);
  }

  Verb verb_for(const PolicySpec& spec) {
    if (spec.algorithm == Algorithm::kConcurrency) {
      constexpr std::array<Verb, 8> kTickets{Verb::kAcquire, Verb::kAcquire, Verb::kAcquire,
                                             Verb::kAcquire, Verb::kRelease, Verb::kRelease,
                                             Verb::kPeek,    Verb::kReset};
      const Verb verb = kTickets[static_cast<size_t>(between(0, kTickets.size() - 1))];
      return verb == Verb::kReset && !chance(20) ? Verb::kAcquire : verb;
    }
    if (chance(70)) return Verb::kCheck;
    switch (between(0, 4)) {
      case 0:
        return Verb::kPeek;
      case 1:
        return Verb::kRefund;
      case 2:
        return Verb::kCharge;
      case 3:
        return chance(30) ? Verb::kReset : Verb::kCheck;
      default:
        return std::all_of(spec.limits.begin(), spec.limits.end(),
                           [](const Limit& each) { return each.window_us >= kDarkWindowMinUs; })
                   ? Verb::kRepay
                   : Verb::kCheck;
    }
  }

  std::mt19937_64 random_;
  KeyHasher hasher_{{0x746f6c6c, 0x6b656570}};
  std::shared_ptr<const PolicyTable> table_;
  // An id's limit may be another each time, but not its count, which a key's fraction is over.
  std::array<Limit, kIds> throttles_;
  bool throttled_alike_ = false;
  TimeUs now_ = 0;
  int64_t scale_us_ = 0;
  bool large_ = false;
  int several_percent_ = 0;
  uint64_t tickets_ = 0;
};

}  // namespace toll::engine
