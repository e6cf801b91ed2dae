// What was used in the dark, to be charged once.
#include "engine/dark_usage.h"

#include <cstdint>
#include <gtest/gtest.h>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/limits.h"
#include "tests/unit/times.h"

namespace toll::engine {
namespace {

struct Charge {
  uint16_t policy;
  std::string id;
  int64_t units;

  bool operator==(const Charge&) const = default;
};

std::vector<Charge> take(DarkUsage& dark, size_t max) {
  std::vector<Charge> charges;
  const size_t taken = dark.take(max, [&](uint16_t policy, std::string_view id, int64_t units) {
    charges.push_back({policy, std::string(id), units});
  });
  EXPECT_EQ(taken, charges.size());
  return charges;
}

TEST(DarkUsage, OfOneIdIsOneCharge) {
  DarkUsage dark;
  dark.note(1, "ann", 3);
  dark.note(1, "bob", 1);
  dark.note(2, "ann", 7);
  dark.note(1, "ann", 2);
  EXPECT_EQ(dark.size(), 3u);
  EXPECT_EQ(take(dark, 10), (std::vector<Charge>{{1, "ann", 5}, {1, "bob", 1}, {2, "ann", 7}}));
}

TEST(DarkUsage, IsHandedOutOnceAndTheOldestFirst) {
  DarkUsage dark;
  for (int i = 0; i < 10; ++i) dark.note(1, std::to_string(9 - i), 1 + i);
  dark.note(1, "9", 100);  // keeps its age
  EXPECT_EQ(take(dark, 2), (std::vector<Charge>{{1, "9", 101}, {1, "8", 2}}));
  EXPECT_EQ(dark.size(), 8u);
  dark.note(1, "9", 1);  // a new one
  const std::vector<Charge> rest = take(dark, 100);
  ASSERT_EQ(rest.size(), 9u);
  EXPECT_EQ(rest.front(), (Charge{1, "7", 3}));
  EXPECT_EQ(rest.back(), (Charge{1, "9", 1}));
  EXPECT_TRUE(take(dark, 100).empty());
  EXPECT_EQ(dark.bytes(), 0u);
}

TEST(DarkUsage, MayBeNotedWhileItIsHandedOut) {
  DarkUsage dark;
  dark.note(1, "ann", 1);
  dark.note(1, "bob", 1);
  int charges = 0;
  dark.take(2, [&](uint16_t policy, std::string_view id, int64_t units) {
    ++charges;
    dark.note(policy, id, 10 * units);
  });
  EXPECT_EQ(charges, 2);
  EXPECT_EQ(take(dark, 10), (std::vector<Charge>{{1, "ann", 10}, {1, "bob", 10}}));
}

TEST(DarkUsage, PastItsBytesItCountsWhatItLeavesOut) {
  DarkUsage dark({.bytes_max = 10'000});
  int noted = 0;
  while (dark.left_out() == 0) dark.note(1, "client-" + std::to_string(noted++), 5);
  EXPECT_EQ(dark.left_out(), 5u);
  EXPECT_EQ(dark.size(), static_cast<size_t>(noted - 1));
  EXPECT_GT(dark.size(), 20u);
  EXPECT_LE(dark.bytes(), 10'000u);
  dark.note(1, "client-0", 5);  // is there and needs no more room
  EXPECT_EQ(dark.left_out(), 5u);
  dark.note(1, std::string(kIdMax, 'x'), kUnitsMax);
  EXPECT_EQ(dark.left_out(), 5u + kUnitsMax);
  EXPECT_EQ(take(dark, 1)[0].units, 10);
  dark.note(1, "late", 1);  // there is room again
  EXPECT_EQ(dark.left_out(), 5u + kUnitsMax);
}

TEST(DarkUsage, LongIdsTakeMoreOfTheBytes) {
  DarkUsage brief({.bytes_max = 100'000});
  DarkUsage lengthy({.bytes_max = 100'000});
  for (int i = 1000; i < 3000; ++i) {
    brief.note(1, std::to_string(i), 1);
    lengthy.note(1, std::to_string(i) + std::string(kIdMax - 4, 'x'), 1);
  }
  EXPECT_GT(brief.size(), 3 * lengthy.size());
  EXPECT_GT(lengthy.size(), 100u);
  EXPECT_LT(lengthy.size() * kIdMax, 100'000u);
}

TEST(DarkUsage, OneChargeIsNeverMoreThanARequestMayAskFor) {
  DarkUsage dark;
  dark.note(1, "ann", kUnitsMax - 1);
  dark.note(1, "ann", 3);
  EXPECT_EQ(dark.left_out(), 2u);
  EXPECT_EQ(take(dark, 1), (std::vector<Charge>{{1, "ann", kUnitsMax}}));
}

TEST(DarkUsage, NothingIsLostOrCountedTwice) {
  std::mt19937_64 random(1);
  DarkUsage dark({.bytes_max = 20'000});
  std::map<std::pair<uint16_t, std::string>, int64_t> owed;
  uint64_t given = 0;
  uint64_t taken = 0;
  for (int i = 0; i < 100'000; ++i) {
    const auto policy = static_cast<uint16_t>(random() % 3);
    const std::string id(1 + random() % 60, static_cast<char>('a' + random() % 26));
    const auto units = static_cast<int64_t>(1 + random() % 9);
    const uint64_t left_out = dark.left_out();
    dark.note(policy, id, units);
    given += static_cast<uint64_t>(units);
    if (dark.left_out() == left_out) owed[{policy, id}] += units;
    ASSERT_EQ(dark.size(), owed.size());
    ASSERT_LE(dark.bytes(), 20'000u);
    if (random() % 20 > 0) continue;
    for (const Charge& charge : take(dark, random() % 40)) {
      const auto known = owed.find({charge.policy, charge.id});
      ASSERT_NE(known, owed.end());
      ASSERT_EQ(charge.units, known->second);
      owed.erase(known);
      taken += static_cast<uint64_t>(charge.units);
    }
  }
  for (const Charge& charge : take(dark, 1'000)) taken += static_cast<uint64_t>(charge.units);
  EXPECT_EQ(taken + dark.left_out(), given);
  EXPECT_GT(dark.left_out(), 0u);
  EXPECT_EQ(dark.bytes(), 0u);
}

TEST(DarkUsage, IsKeptOfSharedPoliciesWithAWindowOfAnHour) {
  PolicySpec spec;
  spec.limits = {make_limit(100, 0, 1'000'000), make_limit(5000, 0, kHour)};
  EXPECT_TRUE(outlasts_outages(spec));
  spec.mode = Mode::kLocal;
  EXPECT_FALSE(outlasts_outages(spec));
  spec.mode = Mode::kLeased;
  EXPECT_TRUE(outlasts_outages(spec));
  spec.limits = {make_limit(5000, 0, kHour - kUsPerMs)};
  EXPECT_FALSE(outlasts_outages(spec));
  spec.algorithm = Algorithm::kFixedWindow;
  spec.limits = {make_limit(5000, 0, 0, Calendar::kDay)};
  EXPECT_TRUE(outlasts_outages(spec));
  spec.algorithm = Algorithm::kConcurrency;
  spec.limits = {make_limit(20, 0, kHour)};
  EXPECT_FALSE(outlasts_outages(spec));
}

}  // namespace
}  // namespace toll::engine
