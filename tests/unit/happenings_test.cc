// Where a worker writes down what happens: bounded, and each loss is counted for who misses it.
#include "daemon/happenings.h"

#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace toll::daemon {
namespace {

constexpr engine::TimeUs kNoonUs = 1'795'348'800'000'000;

class HappeningsTest : public testing::Test {
 protected:
  bool note(const std::string& id, HappeningKind kind = HappeningKind::kRefusal,
            engine::TimeUs now = kNoonUs) {
    Happening* happening = happenings_.note(kind, now);
    if (happening != nullptr) happening->id.set(id);
    return happening != nullptr;
  }
  std::vector<std::string> collected() {
    happenings_.publish();
    std::vector<std::string> ids;
    happenings_.collect([&](const Happening& each) {
      ids.emplace_back(each.id.view());
      audited_ += each.for_audit ? 1 : 0;
    });
    return ids;
  }

  HeraldBell bell_;
  Happenings happenings_;
  size_t audited_ = 0;
};

TEST_F(HappeningsTest, NothingIsNotedWhileNobodyWantsIt) {
  happenings_.connect(bell_, false, 100);
  EXPECT_FALSE(happenings_.wants(HappeningKind::kRefusal));
  EXPECT_FALSE(note("a"));
  happenings_.watch(topics_of(Topic::kBudget));
  EXPECT_TRUE(happenings_.wants(HappeningKind::kBudget));
  EXPECT_FALSE(note("a"));
  EXPECT_FALSE(note("a", HappeningKind::kAdmin)) << "that is for the audit log";
  EXPECT_TRUE(note("b", HappeningKind::kBudget));
  EXPECT_EQ(collected(), std::vector<std::string>{"b"});
  happenings_.watch(0);
  EXPECT_FALSE(note("c", HappeningKind::kBudget));
}

TEST_F(HappeningsTest, WhatIsNotedIsSeenWhenItIsPublishedAndInItsOrder) {
  happenings_.connect(bell_, true, 100);
  note("a");
  note("b");
  EXPECT_FALSE(happenings_.has_any());
  happenings_.publish();
  EXPECT_TRUE(happenings_.has_any());
  EXPECT_EQ(collected(), (std::vector<std::string>{"a", "b"}));
}

TEST_F(HappeningsTest, PastTheRateRefusalsAreSkippedAndCounted) {
  happenings_.connect(bell_, true, 3);
  for (int i = 0; i < 10; ++i) note("a");
  EXPECT_TRUE(note("b", HappeningKind::kBudget)) << "each kind has its own";
  EXPECT_TRUE(note("c", HappeningKind::kAdmin)) << "administration is never left out";
  EXPECT_EQ(collected().size(), 5u);
  EXPECT_EQ(happenings_.skipped(HappeningKind::kRefusal), 7u);
  EXPECT_TRUE(note("d", HappeningKind::kRefusal, kNoonUs + 1'000'000)) << "another second";
}

TEST_F(HappeningsTest, WatchersGetWhatTheLogLeavesOut) {
  happenings_.connect(bell_, true, 3);
  happenings_.watch(topics_of(Topic::kRefusals));
  for (int i = 0; i < 10; ++i) note("a");
  EXPECT_EQ(collected().size(), 10u);
  EXPECT_EQ(audited_, 3u);
}

TEST_F(HappeningsTest, AFullRingLosesAndCountsAndKeepsRoomForTheLog) {
  happenings_.connect(bell_, true, 5);
  happenings_.watch(topics_of(Topic::kRefusals));
  for (size_t i = 0; i < 2 * kHappeningsMax; ++i) note("a");
  const size_t refusals = kHappeningsMax - kHappeningsForAudit;
  EXPECT_EQ(happenings_.missed(Topic::kRefusals), 2 * kHappeningsMax - refusals);
  EXPECT_EQ(happenings_.lost(), 0u);
  for (size_t i = 0; i < kHappeningsForAudit + 7; ++i) note("b", HappeningKind::kAdmin);
  EXPECT_EQ(happenings_.lost(), 7u);
  EXPECT_EQ(collected().size(), kHappeningsMax);
  EXPECT_TRUE(note("c", HappeningKind::kAdmin)) << "there is room again";
  EXPECT_EQ(collected(), std::vector<std::string>{"c"});
}

}  // namespace
}  // namespace toll::daemon
