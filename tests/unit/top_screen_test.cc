// The screen of `tollkeeper top`: figures that are right, lines that fit.
#include "daemon/top_screen.h"

#include <algorithm>
#include <chrono>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace toll::daemon {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr auto kSecondsBetween = std::chrono::seconds(2);

class TopScreen : public testing::Test {
 protected:
  TopScreen() {
    for (DaemonView* view : {&before_, &now_}) {
      view->version = "tollkeeper 1.2.3";
      view->state = "ready";
      view->health = {{"redis", "up"}, {"breaker", "closed"}, {"workers", "2"}, {"hosts", "3"}};
    }
    set("uptime_s", 100, 102);
    set("workers", 2, 2);
    now_.asked_at = before_.asked_at + kSecondsBetween;
  }

  void set(const std::string& name, uint64_t before, uint64_t now) {
    before_.stats[name] = std::to_string(before);
    now_.stats[name] = std::to_string(now);
    now_.stats_order.push_back(name);
  }

  std::vector<std::string> lines(size_t rows = 24, size_t columns = 80) const {
    return top_lines(before_, now_, {rows, columns});
  }

  DaemonView before_;
  DaemonView now_;
};

TEST_F(TopScreen, RatesAreThoseBetweenTheTwoLooks) {
  set("requests", 1'000, 5'000);
  set("source_redis", 10, 30);
  set("redis_calls", 0, 100);
  set("costs_calls", 0, 20);
  set("worker_1_requests", 500, 1'500);
  EXPECT_THAT(lines(), Contains(StartsWith("requests 2.0k/s  allowed 0/s")));
  EXPECT_THAT(lines(), Contains("by source  redis 10/s"));
  EXPECT_THAT(lines(), Contains(StartsWith("redis up  breaker closed  calls 60/s")));
  EXPECT_THAT(lines(), Contains(StartsWith("1               500")));
}

TEST_F(TopScreen, QuantilesAreBoundsOfWhatCameInBetween) {
  set("checks_within_50us", 1'000, 1'060);
  set("checks_within_100us", 1'000, 1'098);
  set("checks_within_2500us", 1'000, 1'099);
  set("checks_timed", 1'000, 1'100);
  EXPECT_THAT(lines(), Contains(HasSubstr("p50 <=50us  p99 <=2.5ms")));
  set("checks_timed", 1'000, 1'200);
  EXPECT_THAT(lines(), Contains(HasSubstr("p50 >2.5ms  p99 >2.5ms")));
  set("checks_timed", 1'000, 1'000);
  EXPECT_THAT(lines(), Contains(HasSubstr("p50 -  p99 -")));
}

TEST_F(TopScreen, AnotherDaemonThanBeforeHasNoRates) {
  set("uptime_s", 100, 1);
  set("requests", 1'000, 5'000);
  EXPECT_THAT(lines(), Contains(StartsWith("requests 0/s")));
}

TEST_F(TopScreen, TheBusiestPoliciesComeFirstAndTheIdleAreLeftOut) {
  set("policy_slow_allowed", 0, 2);
  set("policy_slow_denied", 0, 2);
  set("policy_busy_allowed", 5, 505);
  set("policy_busy_denied", 0, 0);
  set("policy_idle_allowed", 7, 7);
  now_.hot = {{"busy", "00aabbccddee", "0.2500"}};
  const auto shown = lines();
  const auto head = std::ranges::find_if(
      shown, [](const std::string& line) { return line.starts_with("policy "); });
  ASSERT_LT(shown.end() - head, 5);
  ASSERT_GT(shown.end() - head, 2);
  EXPECT_THAT(head[1], StartsWith("busy                   250        0"));
  EXPECT_THAT(head[1], HasSubstr("00aabbccddee busy               25.0%"));
  EXPECT_THAT(head[2], StartsWith("slow                     1        1"));
  EXPECT_THAT(shown, Not(Contains(StartsWith("idle"))));
}

TEST_F(TopScreen, EveryLineFitsWhateverTheSize) {
  set("workers", 64, 64);
  now_.state = "ready\x1b[31m\n";
  for (int i = 0; i < 100; ++i) {
    set("policy_" + std::string(64, 'p') + std::to_string(i) + "_allowed", 0, 1);
    now_.hot.push_back({std::string(64, 'q'), "00aabbccddee", "0.0100"});
  }
  for (size_t rows = 0; rows < 60; rows += 1 + rows / 4) {
    for (size_t columns = 0; columns < 200; columns += 1 + columns / 4) {
      const auto shown = lines(rows, columns);
      EXPECT_LE(shown.size(), rows);
      for (const std::string& line : shown) {
        EXPECT_LE(line.size(), columns);
        EXPECT_TRUE(std::ranges::all_of(line, [](char c) { return c >= 0x20 && c < 0x7f; }));
      }
    }
  }
  // Nothing of the head is lost where it needs more lines.
  for (const size_t columns : {80, 60, 40}) {
    const auto shown = lines(24, columns);
    for (const char* part :
         {"hosts 3", "p50 -", "p99 -", "lost 0/s", "charges 0/s", "no room 0/s"}) {
      EXPECT_THAT(shown, Contains(HasSubstr(part))) << columns;
    }
  }
  // A terminal of the usual size has room for some of each.
  EXPECT_THAT(lines(), Contains(StartsWith("... ")));
  EXPECT_THAT(lines(), Contains(HasSubstr("00aabbccddee")));
}

}  // namespace
}  // namespace toll::daemon
