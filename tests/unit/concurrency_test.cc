// Tickets: cases by hand, and random histories against a plain list. TOLL_SEED replays a
// failure, which prints its seed.
#include "engine/concurrency.h"

#include <algorithm>
#include <cstdint>
#include <gtest/gtest.h>
#include <random>
#include <vector>

#include "engine/memory_budget.h"
#include "tests/unit/seed.h"
#include "tests/unit/times.h"

namespace toll::engine {
namespace {

class ConcurrencyTest : public testing::Test {
 protected:
  void at(TimeUs now) {
    now_ = now;
    Concurrency::advance(store_, limit_, state_, now_);
  }
  bool admits(int64_t units) const { return Concurrency::admits(limit_, state_, now_, units); }
  void acquire(uint64_t ticket, int64_t units = 1, int64_t ttl_ms = 0) {
    ASSERT_TRUE(store_.reserve(1));
    Concurrency::acquire(store_, limit_, state_, now_, units, ttl_ms * kMs, ticket);
  }
  bool release(uint64_t ticket) { return Concurrency::release(store_, state_, ticket); }
  int64_t remaining() const { return Concurrency::remaining(limit_, state_, now_); }
  int64_t retry_ms(int64_t units) const {
    return wait_ms(Concurrency::retry_us(store_, limit_, state_, now_, units));
  }
  int64_t reset_ms() const { return wait_ms(Concurrency::reset_us(store_, limit_, state_, now_)); }

  MemoryBudget budget_{size_t{1} << 20};
  BlockStore store_{budget_};
  Limit limit_ = make_limit(3, 0, kSecond);  // three at once, for a second each
  Concurrency::State state_;
  TimeUs now_ = kNoon;
};

TEST_F(ConcurrencyTest, AReleasedTicketMakesRoomAtOnce) {
  for (uint64_t ticket = 1; ticket <= 3; ++ticket) acquire(ticket);
  EXPECT_FALSE(admits(1));
  EXPECT_TRUE(release(2));
  EXPECT_TRUE(admits(1));
  EXPECT_EQ(remaining(), 1);
  EXPECT_EQ(store_.in_use(), 2u);
}

TEST_F(ConcurrencyTest, ATicketReturnsByItselfWhenItsTimeIsOver) {
  acquire(1);
  at(kNoon + 999 * kMs);
  EXPECT_EQ(remaining(), 2);
  EXPECT_EQ(reset_ms(), 1);
  at(kNoon + kSecond);
  EXPECT_EQ(remaining(), 3);
  EXPECT_EQ(store_.in_use(), 0u);
}

TEST_F(ConcurrencyTest, ReleasingWhatIsUnknownOrLapsedOrReleasedChangesNothing) {
  acquire(1);
  acquire(2);
  EXPECT_FALSE(release(9));
  EXPECT_TRUE(release(1));
  EXPECT_FALSE(release(1));
  EXPECT_EQ(remaining(), 2);
  at(kNoon + kSecond);
  EXPECT_FALSE(release(2));
  EXPECT_EQ(remaining(), 3);
}

TEST_F(ConcurrencyTest, AWaitEndsWhenEnoughTicketsLapse) {
  acquire(1, 1, 500);
  acquire(2, 1, 100);
  acquire(3, 1, 300);
  EXPECT_EQ(retry_ms(1), 100);
  EXPECT_EQ(retry_ms(2), 300);
  EXPECT_EQ(retry_ms(3), 500);
  EXPECT_EQ(retry_ms(4), kNever);
  EXPECT_EQ(reset_ms(), 500);
}

TEST_F(ConcurrencyTest, AClockThatStepsBackKeepsTicketsLonger) {
  acquire(1, 3);
  at(kNoon - 5 * kSecond);
  EXPECT_FALSE(admits(1));
  EXPECT_EQ(retry_ms(1), 6000);
}

TEST_F(ConcurrencyTest, ALowerLimitAfterAReloadTakesNoTicketAway) {
  acquire(1, 3);
  limit_ = make_limit(2, 0, kSecond);
  EXPECT_EQ(remaining(), 0);
  EXPECT_FALSE(admits(1));
  EXPECT_TRUE(release(1));
  EXPECT_EQ(remaining(), 2);
}

class ConcurrencyHistory : public ConcurrencyTest {
 protected:
  struct Ticket {
    uint64_t number;
    int64_t units;
    int64_t expires_ms;
  };

  int64_t used_at(int64_t time_ms) const {
    int64_t used = 0;
    for (const Ticket& ticket : model_) used += ticket.expires_ms > time_ms ? ticket.units : 0;
    return used;
  }
  // By trying every millisecond.
  int64_t wait_ms_for(int64_t free) const {
    for (int64_t wait = 0;; ++wait) {
      if (limit_.count - used_at(now_ / kUsPerMs + wait) >= free) return wait;
    }
  }
  void compare(int64_t units) const {
    ASSERT_EQ(remaining(), limit_.count - used_at(now_ / kUsPerMs));
    ASSERT_EQ(admits(units), remaining() >= units);
    ASSERT_EQ(retry_ms(units), units > limit_.count ? kNever : wait_ms_for(units));
    ASSERT_EQ(reset_ms(), wait_ms_for(limit_.count));
    ASSERT_EQ(Concurrency::idle(limit_, state_, now_), remaining() == limit_.count);
    ASSERT_EQ(store_.in_use(), model_.size());
  }

  void step(std::mt19937_64& random) {
    now_ += static_cast<TimeUs>(random() % 3'000);
    if (random() % 20 == 0) now_ -= static_cast<TimeUs>(random() % 20'000);
    at(now_);
    std::erase_if(model_, [&](const Ticket& t) { return t.expires_ms <= now_ / kUsPerMs; });
    const auto units = 1 + static_cast<int64_t>(random() % 4);
    compare(units);
    if (random() % 3 == 0 && !model_.empty()) {
      const size_t which = random() % model_.size();
      ASSERT_TRUE(release(model_[which].number));
      model_.erase(model_.begin() + static_cast<ptrdiff_t>(which));
    } else if (admits(units)) {
      const auto ttl_ms = static_cast<int64_t>(random() % 3 == 0 ? random() % 40 : 0);
      acquire(++numbers_, units, ttl_ms);
      const int64_t life_ms = ttl_ms == 0 ? limit_.window_us / kUsPerMs : ttl_ms;
      model_.push_back({numbers_, units, now_ / kUsPerMs + life_ms});
    }
    compare(units);
  }

  std::vector<Ticket> model_;
  uint64_t numbers_ = 0;
};

TEST_F(ConcurrencyHistory, AgreesWithAListOfTickets) {
  const uint64_t seed = test_seed(20'260'104);
  SCOPED_TRACE("TOLL_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  limit_ = make_limit(10, 0, 25 * kMs);
  for (int i = 0; i < 20'000 && !HasFatalFailure(); ++i) step(random);
}

}  // namespace
}  // namespace toll::engine
