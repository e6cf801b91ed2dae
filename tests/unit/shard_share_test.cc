// A host's share of the limits: what one of several hosts decides by.
#include <algorithm>
#include <cstdint>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <vector>

#include "engine/rule_book.h"
#include "tests/unit/shard_fixture.h"
#include "tests/unit/some_limits.h"
#include "tests/unit/times.h"

namespace toll::engine {
namespace {

class Share : public ShardTest {
 protected:
  void hosts(uint32_t hosts) { shard_->adopt(table_, hosts); }
  void set_mode(std::string_view name, Mode mode) {
    std::ranges::find(specs_, name, &PolicySpec::name)->mode = mode;
    reload();
  }
};

TEST_F(Share, IsTheLimitDividedByTheHostsAndRoundedDown) {
  for (const Algorithm algorithm : kWindowed) {
    policy("p", algorithm, {make_limit(100, 0, kHour)});
    hosts(3);
    EXPECT_EQ(check("p", "ann").answer.limit, 33) << to_string(algorithm);
    EXPECT_EQ(remaining("p", "ann"), 32);
    EXPECT_TRUE(admits("p", "ann", 32));
    EXPECT_FALSE(admits("p", "ann"));
    reset("p", "ann");
  }
}

TEST_F(Share, OfTicketsToo) {
  policy("jobs", Algorithm::kConcurrency, {make_limit(7, 0, kHour)});
  hosts(3);
  EXPECT_EQ(acquire("jobs", "ann", 1).outcome, Outcome::kAdmitted);
  EXPECT_EQ(acquire("jobs", "ann", 2).outcome, Outcome::kAdmitted);
  EXPECT_EQ(acquire("jobs", "ann", 3).outcome, Outcome::kRefused);
}

TEST_F(Share, IsNeverLessThanOne) {
  for (const Algorithm algorithm : kWindowed) {
    policy("p", algorithm, {make_limit(5, 0, kHour)});
    hosts(10);
    EXPECT_TRUE(admits("p", "ann")) << to_string(algorithm);
    EXPECT_FALSE(admits("p", "ann")) << to_string(algorithm);
    reset("p", "ann");
  }
}

TEST_F(Share, DividesTheBurstByItself) {
  policy("p", Algorithm::kTokenBucket, {make_limit(600, 5, 60 * kSecond)});
  hosts(10);
  EXPECT_TRUE(admits("p", "ann"));
  EXPECT_FALSE(admits("p", "ann"));
  now_ += kSecond;  // 60 a minute
  EXPECT_TRUE(admits("p", "ann"));
  EXPECT_FALSE(admits("p", "ann"));
}

TEST_F(Share, DividesEveryLimitOfAPolicy) {
  policy("p", Algorithm::kFixedWindow, {make_limit(10, 0, kHour), make_limit(30, 0, 24 * kHour)});
  hosts(2);
  EXPECT_EQ(check("p", "ann").answer.limit, 5);
  ASSERT_TRUE(admits("p", "ann", 4));
  for (int i = 0; i < 2; ++i) {
    now_ += kHour;
    ASSERT_TRUE(admits("p", "ann", 5));
  }
  now_ += kHour;
  EXPECT_EQ(check("p", "ann").answer.limit, 15);
}

TEST_F(Share, OfACalendarWindowKeepsTheCalendar) {
  policy("p", Algorithm::kFixedWindow, {make_limit(10, 0, 0, Calendar::kMonth)});
  hosts(2);
  EXPECT_TRUE(admits("p", "ann", 5));
  EXPECT_FALSE(admits("p", "ann"));
  now_ += 31 * 24 * kHour;
  EXPECT_TRUE(admits("p", "ann", 5));
}

TEST_F(Share, OfALocalPolicyIsAllOfIt) {
  policy("p", Algorithm::kGcra, {make_limit(10, 0, kHour)});
  policy("leased", Algorithm::kGcra, {make_limit(10, 0, kHour)});
  set_mode("p", Mode::kLocal);
  set_mode("leased", Mode::kLeased);
  hosts(5);
  EXPECT_EQ(check("p", "ann").answer.limit, 10);
  EXPECT_EQ(check("leased", "ann").answer.limit, 2);
  set_mode("p", Mode::kExact);
  hosts(5);
  EXPECT_EQ(check("p", "ann").answer.limit, 2);
}

TEST_F(Share, OfThrottleIsWhatTheRequestSays) {
  reload();
  hosts(5);
  const Limit limit = make_limit(10, 0, kHour);
  EXPECT_EQ(throttle("ann", limit).answer.limit, 10);
}

TEST_F(Share, WhatWasUsedStaysUsedWhenTheHostsChange) {
  for (const Algorithm algorithm : kWindowed) {
    policy("p", algorithm, {make_limit(100, 0, kHour)});
    charge("p", "ann", 30);
    hosts(2);
    EXPECT_EQ(remaining("p", "ann"), 20) << to_string(algorithm);
    hosts(3);
    EXPECT_EQ(remaining("p", "ann"), 3) << to_string(algorithm);
    charge("p", "ann", 2);
    hosts(1);
    EXPECT_EQ(remaining("p", "ann"), 68) << to_string(algorithm);
    hosts(4);
    EXPECT_FALSE(admits("p", "ann")) << to_string(algorithm);
    reset("p", "ann");
  }
}

TEST_F(Share, TicketsStayOutWhenTheHostsChange) {
  policy("jobs", Algorithm::kConcurrency, {make_limit(8, 0, kHour)});
  for (uint64_t ticket = 1; ticket <= 4; ++ticket) acquire("jobs", "ann", ticket);
  hosts(4);
  EXPECT_EQ(acquire("jobs", "ann", 5).outcome, Outcome::kRefused);
  hosts(1);
  EXPECT_EQ(release("jobs", "ann", 2).answer.remaining, 5);
}

TEST_F(Share, AKeySleepsThroughAnyNumberOfComingsAndGoings) {
  for (const Algorithm algorithm : kWindowed) {
    policy("p", algorithm, {make_limit(1000, 0, kHour)});
    hosts(3);
    charge("p", "ann", 100);
    for (uint32_t i = 0; i < 1000; ++i) hosts(1 + i * 7 % 12);
    hosts(2);
    EXPECT_EQ(remaining("p", "ann"), 400) << to_string(algorithm);
    reset("p", "ann");
  }
}

TEST_F(Share, AReloadAndAChangeOfHostsGoTogether) {
  policy("p", Algorithm::kGcra, {make_limit(100, 0, kHour)});
  hosts(2);
  charge("p", "ann", 10);
  policy("p", Algorithm::kGcra, {make_limit(300, 0, kHour)});
  hosts(3);
  EXPECT_EQ(remaining("p", "ann"), 90);
  remove_policy("p");
  hosts(4);
  EXPECT_EQ(check("p", "ann").outcome, Outcome::kNoPolicy);
  policy("p", Algorithm::kGcra, {make_limit(200, 0, kHour)});
  hosts(4);
  EXPECT_EQ(remaining("p", "ann"), 40);
}

// ---- the revisions behind it ----

class ShareRevisions : public testing::Test {
 protected:
  void adopt(Limit limit, uint32_t hosts, Algorithm algorithm = Algorithm::kGcra) {
    PolicySpec spec;
    spec.name = "p";
    spec.algorithm = algorithm;
    spec.limits = {limit};
    table_ = PolicyTable::build({&spec, 1}, table_.get()).value();
    book_.adopt(*table_, hosts);
  }
  uint8_t revision() const { return book_.current(0)->revision; }

  std::shared_ptr<const PolicyTable> table_;
  RuleBook book_;
};

TEST_F(ShareRevisions, AChangeOfHostsAloneIsOne) {
  adopt(make_limit(100, 0, kHour), 1);
  const uint8_t whole = revision();
  adopt(make_limit(100, 0, kHour), 2);
  EXPECT_NE(revision(), whole);
  ASSERT_NE(book_.of(0, whole), nullptr);
  EXPECT_EQ(book_.of(0, whole)->limits[0].count, 100);
  EXPECT_EQ(book_.current(0)->limits[0].count, 50);
}

TEST_F(ShareRevisions, TheSameShareIsNone) {
  adopt(make_limit(3, 0, kHour), 3);
  const uint8_t before = revision();
  for (uint32_t hosts = 4; hosts < 400; ++hosts) {
    adopt(make_limit(3, 0, kHour), hosts);
    ASSERT_EQ(revision(), before);
  }
  adopt(make_limit(1, 0, kHour), 1);  // another limit of which the whole is what the share was
  EXPECT_EQ(revision(), before);
}

TEST_F(ShareRevisions, OneThatComesBackIsWhatItWas) {
  adopt(make_limit(100, 0, kHour), 1);
  const uint8_t whole = revision();
  for (uint32_t hosts = 2; hosts < 10; ++hosts) adopt(make_limit(100, 0, kHour), hosts);
  adopt(make_limit(100, 0, kHour), 1);
  EXPECT_EQ(revision(), whole);
  adopt(make_limit(100, 0, kHour), 1, Algorithm::kFixedWindow);
  EXPECT_NE(revision(), whole);
}

TEST_F(ShareRevisions, NoTwoThatAreKeptHaveTheSameNumber) {
  adopt(make_limit(1'000'000, 0, kHour), 1);
  const uint8_t whole = revision();
  for (uint32_t hosts = 2; hosts < 1000; ++hosts) {
    adopt(make_limit(1'000'000, 0, kHour), hosts);
    ASSERT_NE(revision(), whole);
    adopt(make_limit(1'000'000, 0, kHour), 1);  // is used over and over, and so it stays
    ASSERT_EQ(revision(), whole);
    size_t kept = 0;
    for (int number = 0; number < 256; ++number) {
      kept += book_.of(0, static_cast<uint8_t>(number)) != nullptr ? 1 : 0;
    }
    ASSERT_EQ(kept, std::min<size_t>(hosts, RuleBook::kPastMax + 1));
  }
}

TEST_F(ShareRevisions, AShareIsAlwaysFitToDecideBy) {
  // The longest refill there may be; a tenth of the count is 1, of which that is nearly twice.
  const Limit longest = make_limit(19, 1896, kWindowMaxUs);
  ASSERT_EQ(limit_fault(Algorithm::kTokenBucket, longest), "");
  adopt(longest, 10);
  const Limit& share = book_.current(0)->limits[0];
  EXPECT_EQ(limit_fault(Algorithm::kTokenBucket, share), "");
  EXPECT_EQ(share.count, 1);
  EXPECT_EQ(share.burst, 99);
}

}  // namespace
}  // namespace toll::engine
