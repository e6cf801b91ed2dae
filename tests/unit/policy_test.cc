#include "engine/policy.h"

#include <gtest/gtest.h>
#include <set>

#include "tests/unit/some_limits.h"
#include "tests/unit/times.h"

namespace toll::engine {
namespace {

using Table = std::shared_ptr<const PolicyTable>;

PolicySpec spec(std::string name, std::vector<Limit> limits,
                Algorithm algorithm = Algorithm::kGcra) {
  PolicySpec spec;
  spec.name = std::move(name);
  spec.algorithm = algorithm;
  spec.limits = std::move(limits);
  return spec;
}

Table build(const std::vector<PolicySpec>& specs, const Table& previous = nullptr) {
  auto table = PolicyTable::build(specs, previous.get());
  if (table) return *table;
  ADD_FAILURE() << table.error().policy << ": " << table.error().message;
  return nullptr;
}

std::string fault(const std::vector<PolicySpec>& specs) {
  const auto table = PolicyTable::build(specs, nullptr);
  return table ? "" : table.error().policy + ": " + table.error().message;
}

std::string_view limit_fault_of(Algorithm algorithm, int64_t count, int64_t burst,
                                int64_t window_us, Calendar calendar = Calendar::kNone) {
  return limit_fault(algorithm, make_limit(count, burst, window_us, calendar));
}

TEST(MakeLimit, AUnitCostsWindowOverCountExactly) {
  const Limit limit = make_limit(7, 7, kSecond);
  EXPECT_EQ(limit.interval_us, 142'857);
  EXPECT_EQ(limit.interval_fraction, 1u);  // 7 * 142857 = 999999
  EXPECT_EQ(limit.tolerance_us, kSecond);
  EXPECT_EQ(limit.tolerance_fraction, 0u);
}

TEST(MakeLimit, ABurstIsToleratedToTheLastFraction) {
  const Limit limit = make_limit(7, 3, kSecond);
  EXPECT_EQ(limit.tolerance_us, 428'571);
  EXPECT_EQ(limit.tolerance_fraction, 3u);  // 3000000 - 7 * 428571
}

TEST(MakeLimit, WideProductsAreExactToo) {
  // 2147483647 * 31622400000000 / 2147483646 = 31622400014725 and 703312650 over the count
  const Limit limit = make_limit(kLimitCountMax - 1, kLimitCountMax, kWindowMaxUs);
  EXPECT_EQ(limit.tolerance_us, 31'622'400'014'725);
  EXPECT_EQ(limit.tolerance_fraction, 703'312'650u);
}

TEST(MakeLimit, NoBurstMeansTheCount) {
  EXPECT_EQ(make_limit(7, 0, kSecond), per(7, kSecond));
}

TEST(MakeLimit, ACalendarWindowHasItsOwnLength) {
  EXPECT_EQ(make_limit(1, 1, 5, Calendar::kDay).window_us, kOneDay);
  EXPECT_EQ(make_limit(1, 1, 5, Calendar::kMonth).window_us, 31 * kOneDay);
}

TEST(MakeLimit, FiguresOutOfBoundsMakeALimitThatIsObjectedTo) {
  for (const int64_t wild : {INT64_MIN, int64_t{-1}, INT64_MAX}) {
    EXPECT_NE(limit_fault_of(Algorithm::kGcra, wild, 1, kSecond), "") << wild;
    EXPECT_NE(limit_fault_of(Algorithm::kGcra, 1, wild, kSecond), "") << wild;
    EXPECT_NE(limit_fault_of(Algorithm::kGcra, 1, 1, wild), "") << wild;
  }
  EXPECT_NE(limit_fault_of(Algorithm::kGcra, 0, 0, 0), "");
}

TEST(LimitFault, EveryBoundIsKept) {
  using enum Algorithm;
  EXPECT_EQ(limit_fault_of(kGcra, 1, 1, kWindowMinUs), "");
  EXPECT_EQ(limit_fault_of(kGcra, kLimitCountMax, kLimitCountMax, kWindowMaxUs), "");
  EXPECT_NE(limit_fault_of(kGcra, 0, 1, kSecond), "");
  EXPECT_NE(limit_fault_of(kGcra, kLimitCountMax + 1, 1, kSecond), "");
  EXPECT_NE(limit_fault_of(kGcra, 1, -1, kSecond), "");
  EXPECT_NE(limit_fault_of(kGcra, 1, kLimitCountMax + 1, kSecond), "");
  EXPECT_NE(limit_fault_of(kGcra, 1, 1, kWindowMinUs - 1), "");
  EXPECT_NE(limit_fault_of(kGcra, 1, 1, kWindowMaxUs + 1), "");
}

TEST(LimitFault, ABurstComesBackWithinACentury) {
  EXPECT_EQ(limit_fault_of(Algorithm::kGcra, 1, 36'525, kOneDay), "");
  EXPECT_NE(limit_fault_of(Algorithm::kGcra, 1, 36'526, kOneDay), "");
  EXPECT_NE(limit_fault_of(Algorithm::kTokenBucket, 1, kLimitCountMax, kWindowMaxUs), "");
}

TEST(LimitFault, ABurstIsForBuckets) {
  EXPECT_EQ(limit_fault_of(Algorithm::kTokenBucket, 10, 5, kSecond), "");
  for (const Algorithm algorithm : {Algorithm::kSlidingLog, Algorithm::kSlidingWindow,
                                    Algorithm::kFixedWindow, Algorithm::kConcurrency}) {
    EXPECT_NE(limit_fault_of(algorithm, 10, 5, kSecond), "") << to_string(algorithm);
    EXPECT_EQ(limit_fault_of(algorithm, 10, 10, kSecond), "") << to_string(algorithm);
  }
}

TEST(LimitFault, CalendarWindowsAreForWindowCounters) {
  using enum Algorithm;
  for (const Calendar calendar : {Calendar::kDay, Calendar::kMonth}) {
    EXPECT_EQ(limit_fault_of(kFixedWindow, 5, 5, 0, calendar), "");
    EXPECT_EQ(limit_fault_of(kSlidingWindow, 5, 5, 0, calendar), "");
    for (const Algorithm algorithm : {kGcra, kTokenBucket, kSlidingLog, kConcurrency}) {
      EXPECT_NE(limit_fault_of(algorithm, 5, 5, 0, calendar), "") << to_string(algorithm);
    }
  }
}

TEST(LimitFault, WindowsAreWholeMilliseconds) {
  using enum Algorithm;
  EXPECT_EQ(limit_fault_of(kGcra, 5, 5, 1'500), "");
  EXPECT_EQ(limit_fault_of(kTokenBucket, 5, 5, 1'500), "");
  for (const Algorithm algorithm : {kSlidingLog, kSlidingWindow, kFixedWindow}) {
    EXPECT_NE(limit_fault_of(algorithm, 5, 5, 1'500), "") << to_string(algorithm);
    EXPECT_EQ(limit_fault_of(algorithm, 5, 5, 2'000), "") << to_string(algorithm);
  }
}

TEST(LimitFault, WhatKeepsAnEntryPerUnitIsBounded) {
  using enum Algorithm;
  EXPECT_EQ(limit_fault_of(kSlidingLog, kSlidingLogCountMax, 0, kSecond), "");
  EXPECT_NE(limit_fault_of(kSlidingLog, kSlidingLogCountMax + 1, 0, kSecond), "");
  EXPECT_EQ(limit_fault_of(kConcurrency, kConcurrencyLimitMax, 0, kMinute), "");
  EXPECT_NE(limit_fault_of(kConcurrency, kConcurrencyLimitMax + 1, 0, kMinute), "");
}

TEST(PolicyTable, FindsWhatWasBuilt) {
  const Table table = build({spec("api", {per(100, kSecond)}), spec("login", {per(5, kMinute)})});
  ASSERT_NE(table->find("api"), nullptr);
  EXPECT_EQ(table->find("api")->id, 0);
  EXPECT_EQ(table->find("login")->id, 1);
  EXPECT_EQ(table->find(uint16_t{1}), table->find("login"));
  EXPECT_EQ(table->find(uint16_t{2}), nullptr);
  for (const char* unknown : {"", "ap", "apis", "API", "logi", "login "}) {
    EXPECT_EQ(table->find(unknown), nullptr) << unknown;
  }
  EXPECT_EQ(table->find(std::string(100'000, 'a')), nullptr);
}

TEST(PolicyTable, AnEmptyTableFindsNothing) {
  EXPECT_EQ(build({})->find("api"), nullptr);
  EXPECT_EQ(build({})->find(uint16_t{0}), nullptr);
}

TEST(PolicyTable, LimitsAreMadeReady) {
  Limit raw;
  raw.count = 7;
  raw.window_us = kSecond;
  const Table table = build({spec("api", {raw})});
  const Limit& limit = table->find("api")->spec.limits[0];
  EXPECT_EQ(limit.burst, 7);
  EXPECT_EQ(limit.interval_us, 142'857);
  EXPECT_EQ(limit.tolerance_us, kSecond);
}

TEST(PolicyTable, NamesAreChecked) {
  const std::vector<Limit> limits{per(1, kSecond)};
  EXPECT_EQ(fault({spec("Az09_.:-", limits), spec(std::string(64, 'n'), limits)}), "");
  EXPECT_NE(fault({spec("", limits)}), "");
  EXPECT_NE(fault({spec(std::string(65, 'n'), limits)}), "");
  for (const char* bad : {"a b", "a/b", "a\nb", "\xc3\xa9", "a{b"}) {
    EXPECT_NE(fault({spec(bad, limits)}), "") << bad;
  }
  EXPECT_EQ(fault({spec("twice", limits), spec("twice", limits)}), "twice: is defined twice");
}

TEST(PolicyTable, LimitsAreCounted) {
  EXPECT_EQ(fault({spec("api", {})}), "api: has no limit");
  EXPECT_EQ(fault({spec("api", std::vector<Limit>(kLimitsPerPolicyMax, per(1, kSecond)))}), "");
  EXPECT_EQ(fault({spec("api", std::vector<Limit>(kLimitsPerPolicyMax + 1, per(1, kSecond)))}),
            "api: has 9 limits; expected at most 8");
  EXPECT_EQ(fault({spec("c", {per(1, kMinute), per(2, kMinute)}, Algorithm::kConcurrency)}),
            "c: a concurrency policy has exactly one limit");
}

TEST(PolicyTable, AFaultNamesPolicyAndLimit) {
  EXPECT_EQ(fault({spec("log", {per(5, kMinute), per(200'000, kHour)}, Algorithm::kSlidingLog)}),
            "log: limit 200000/1h: a sliding_log keeps every request; expected a count of at most "
            "100000");
}

TEST(PolicyTable, AReloadKeepsIds) {
  const Table first = build({spec("a", {per(1, kSecond)}), spec("b", {per(2, kSecond)})});
  const Table second = build({spec("c", {per(3, kSecond)}), spec("b", {per(2, kSecond)})}, first);
  EXPECT_EQ(second->find("b")->id, 1);
  EXPECT_EQ(second->find("c")->id, 2);
  EXPECT_EQ(second->find("a"), nullptr);
  EXPECT_EQ(second->find(uint16_t{0}), nullptr);
  ASSERT_EQ(second->policies().size(), 3u);
  EXPECT_FALSE(second->policies()[0].active);
  EXPECT_NE(first->find("a"), nullptr);  // the old table is as it was

  const Table third = build({spec("a", {per(1, kSecond)})}, second);
  EXPECT_EQ(third->find("a")->id, 0);
  EXPECT_EQ(third->find("a")->revision, 0);
}

TEST(PolicyTable, ARevisionCountsChangesOfWhatIsCounted) {
  const Table first = build({spec("a", {per(1, kSecond)})});
  EXPECT_EQ(first->find("a")->revision, 0);
  EXPECT_TRUE(first->find("a")->previous_limits.empty());

  PolicySpec slower = spec("a", {per(1, kSecond)});
  slower.deadline_us = 1;
  slower.mode = Mode::kLocal;
  const Table same = build({slower}, first);
  EXPECT_EQ(same->find("a")->revision, 0);
  EXPECT_EQ(same->find("a")->spec.deadline_us, 1);

  const Table more = build({spec("a", {per(2, kSecond)})}, same);
  EXPECT_EQ(more->find("a")->revision, 1);
  EXPECT_EQ(more->find("a")->previous_limits, std::vector<Limit>{per(1, kSecond)});

  const Table kept = build({spec("a", {per(2, kSecond)})}, more);
  EXPECT_EQ(kept->find("a")->revision, 1);
  EXPECT_EQ(kept->find("a")->previous_limits, std::vector<Limit>{per(1, kSecond)});

  const Table other = build({spec("a", {per(2, kSecond)}, Algorithm::kFixedWindow)}, kept);
  EXPECT_EQ(other->find("a")->revision, 2);
  EXPECT_EQ(other->find("a")->previous_algorithm, Algorithm::kGcra);
  EXPECT_EQ(other->find("a")->previous_limits, std::vector<Limit>{per(2, kSecond)});
}

TEST(PolicyTable, APolicyThatComesBackCarriesOverFromItsLastLimits) {
  const Table first = build({spec("a", {per(1, kSecond)})});
  const Table without = build({}, first);
  const Table back = build({spec("a", {per(2, kSecond)})}, without);
  EXPECT_EQ(back->find("a")->revision, 1);
  EXPECT_EQ(back->find("a")->previous_limits, std::vector<Limit>{per(1, kSecond)});
}

TEST(PolicyTable, RevisionsWrapAround) {
  Table table = build({spec("a", {per(1, kSecond)})});
  for (int64_t change = 1; change <= 256; ++change) {
    table = build({spec("a", {per(1 + change % 2, kSecond)})}, table);
  }
  EXPECT_EQ(table->find("a")->revision, 0);
}

TEST(PolicyTable, ManyNamesAreAllFoundAndNoMoreThanTheBound) {
  std::vector<PolicySpec> specs;
  for (size_t i = 0; i < kPoliciesMax; ++i) {
    specs.push_back(spec("policy-" + std::to_string(i), {per(1, kSecond)}));
  }
  const Table full = build(specs);
  std::set<uint16_t> ids;
  for (const PolicySpec& one : specs) {
    const Policy* policy = full->find(one.name);
    ASSERT_NE(policy, nullptr) << one.name;
    EXPECT_EQ(policy->spec.name, one.name);
    ids.insert(policy->id);
  }
  EXPECT_EQ(ids.size(), kPoliciesMax);
  EXPECT_EQ(full->find("policy-4096"), nullptr);

  // Removed ones still take their names.
  const std::vector<PolicySpec> one_more{spec("one-more", {per(1, kSecond)})};
  EXPECT_FALSE(PolicyTable::build(one_more, full.get()));
  EXPECT_EQ(build({specs[7]}, full)->find("policy-7")->id, 7);
}

std::string described(const std::vector<Limit>& limits, Algorithm algorithm = Algorithm::kGcra) {
  return PolicyTable::describe_limits(spec("a", limits, algorithm));
}

TEST(DescribeLimits, WindowsAreInTheLargestExactUnit) {
  EXPECT_EQ(described({per(100, kSecond), per(5000, kHour)}), "100/1s,5000/1h");
  EXPECT_EQ(described({per(1, 7 * kOneDay)}), "1/7d");
  EXPECT_EQ(described({per(1, 36 * kHour)}), "1/36h");
  EXPECT_EQ(described({per(1, 90 * kSecond)}), "1/90s");
  EXPECT_EQ(described({per(1, 2 * kMinute)}), "1/2m");
  EXPECT_EQ(described({per(1, 1'500 * kMs)}), "1/1500ms");
  EXPECT_EQ(described({per(1, 1'500)}), "1/1500us");
}

TEST(DescribeLimits, CalendarWindowsAreNamed) {
  EXPECT_EQ(described({make_limit(5, 5, 0, Calendar::kDay), make_limit(9, 9, 0, Calendar::kMonth)},
                      Algorithm::kFixedWindow),
            "5/day,9/month");
}

TEST(DescribeLimits, ConcurrencyIsJustItsCount) {
  EXPECT_EQ(described({per(20, 2 * kMinute)}, Algorithm::kConcurrency), "20");
}

TEST(PolicyWords, AreTheProtocols) {
  EXPECT_EQ(to_string(Algorithm::kGcra), "gcra");
  EXPECT_EQ(to_string(Algorithm::kTokenBucket), "token_bucket");
  EXPECT_EQ(to_string(Algorithm::kSlidingLog), "sliding_log");
  EXPECT_EQ(to_string(Algorithm::kSlidingWindow), "sliding_window");
  EXPECT_EQ(to_string(Algorithm::kFixedWindow), "fixed_window");
  EXPECT_EQ(to_string(Algorithm::kConcurrency), "concurrency");
  EXPECT_EQ(to_string(Mode::kExact), "exact");
  EXPECT_EQ(to_string(Mode::kLeased), "leased");
  EXPECT_EQ(to_string(Mode::kLocal), "local");
  EXPECT_EQ(to_string(OnOutage::kLocal), "local");
  EXPECT_EQ(to_string(OnOutage::kAllow), "allow");
  EXPECT_EQ(to_string(OnOutage::kDeny), "deny");
}

}  // namespace
}  // namespace toll::engine
