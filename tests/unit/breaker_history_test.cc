// The circuit breaker in random histories, against what its header promises. TOLL_SEED replays
// a failure, which prints its seed.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <gtest/gtest.h>
#include <random>
#include <string>
#include <vector>

#include "engine/breaker.h"
#include "tests/unit/seed.h"
#include "tests/unit/times.h"

namespace toll::engine {
namespace {

struct Sent {
  int64_t at_us;     // by a clock that never steps
  uint32_t opening;  // how many times it had opened by then
};

// A store, its callers, and what the breaker is held to: what it allowed since it opened last.
class History {
 public:
  History(uint64_t seed, bool steps) : random_(seed), steps_(steps), breaker_(settings(), seed) {}

  void run(int moves) {
    for (int i = 0; i < moves && !testing::Test::HasFailure(); ++i) {
      move();
      check_state();
    }
  }

  int rounds_done() const { return rounds_done_; }

  // From now on calls go well and the clock goes on: it must close, and soon.
  void recover() {
    while (!sent_.empty()) come_back(Breaker::Call::kVoid);
    check_state();
    for (int i = 0; i < 3000 && breaker_.state() != BreakerState::kClosed; ++i) {
      pass(kMs);
      ask();
      while (!sent_.empty()) come_back(Breaker::Call::kDone);
      check_state();
    }
    EXPECT_EQ(breaker_.state(), BreakerState::kClosed);
  }

 private:
  static BreakerSettings settings() {
    BreakerSettings settings;
    settings.open_us = 20 * kMs;
    settings.open_max_us = kSecond;
    return settings;
  }
  uint64_t below(uint64_t bound) { return random_() % bound; }
  void pass(int64_t time_us) {
    true_us_ += time_us;
    clock_ += time_us;
  }

  void move() {
    if (below(200) == 0) fails_of_ten_ = below(11);
    if (steps_ && below(100) == 0) clock_ += (static_cast<int64_t>(below(3)) - 1) * kHour;
    switch (below(8)) {
      case 0:
      case 1:
      case 2:
        return ask();
      case 3:
      case 4:
        if (!sent_.empty()) come_back(random_outcome());
        return;
      case 5:
        if (below(200) == 0) breaker_.trip(clock_);
        return;
      default:
        return pass(static_cast<int64_t>(below(10) == 0 ? below(50 * kMs) : below(2 * kMs)));
    }
  }

  Breaker::Call random_outcome() {
    if (below(10) == 0) return Breaker::Call::kVoid;
    return below(10) < fails_of_ten_ ? Breaker::Call::kFailed : Breaker::Call::kDone;
  }

  void ask() {
    const BreakerState before = breaker_.state();
    const bool yes = breaker_.allow(clock_);
    if (breaker_.state() == BreakerState::kHalfOpen) {
      if (before != BreakerState::kHalfOpen) begin_round(0);
      if (!steps_) {
        ASSERT_EQ(yes, allowed_ < kRounds[round_]);
      }
      if (yes) ++allowed_;
    }
    if (yes) sent_.push_back({true_us_, opened_});
  }

  void begin_round(size_t round) {
    round_ = round;
    allowed_ = 0;
    well_ = 0;
  }

  void come_back(Breaker::Call what) {
    const size_t which = below(sent_.size());
    const Sent call = sent_[which];
    sent_.erase(sent_.begin() + static_cast<std::ptrdiff_t>(which));
    const BreakerState before = breaker_.state();
    breaker_.report(what, true_us_ - call.at_us, clock_);
    if (steps_) return;
    if (before != BreakerState::kHalfOpen) return;
    if (call.opening != opened_) {
      EXPECT_EQ(breaker_.state(), BreakerState::kHalfOpen) << "by a call from before it opened";
      return;
    }
    const bool slow = true_us_ - call.at_us > settings().slow_call_us;
    if (what == Breaker::Call::kVoid) {
      --allowed_;
    } else if (what == Breaker::Call::kFailed || slow) {
      EXPECT_EQ(breaker_.state(), BreakerState::kOpen);
    } else if (++well_ == kRounds[round_]) {
      ++rounds_done_;
      EXPECT_EQ(breaker_.state(), round_ == 2 ? BreakerState::kClosed : BreakerState::kHalfOpen);
      if (round_ < 2) begin_round(round_ + 1);
    } else {
      EXPECT_EQ(breaker_.state(), BreakerState::kHalfOpen);
    }
  }

  void check_state() {
    if (breaker_.state() == BreakerState::kOpen && seen_ != BreakerState::kOpen) ++opened_;
    seen_ = breaker_.state();
    if (steps_ || seen_ != BreakerState::kHalfOpen) return;
    const auto probes = std::count_if(sent_.begin(), sent_.end(),
                                      [&](Sent call) { return call.opening == opened_; });
    EXPECT_LE(probes, kRounds[round_]);
  }

  static constexpr int kRounds[] = {1, 3, 10};

  std::mt19937_64 random_;
  bool steps_;
  Breaker breaker_;
  BreakerState seen_ = BreakerState::kClosed;
  uint32_t opened_ = 0;
  TimeUs clock_ = kNoon;
  int64_t true_us_ = 0;
  uint64_t fails_of_ten_ = 0;
  std::vector<Sent> sent_;
  size_t round_ = 0;
  int allowed_ = 0;  // of the round, but for those that were void
  int well_ = 0;
  int rounds_done_ = 0;
};

uint64_t first_seed() {
  return test_seed(1);
}

TEST(BreakerHistory, NeverMoreProbesThanTheRoundAndAlwaysRecovers) {
  int rounds_done = 0;
  for (uint64_t seed = first_seed(); seed < first_seed() + 100; ++seed) {
    SCOPED_TRACE("TOLL_SEED=" + std::to_string(seed));
    History history(seed, false);
    for (int i = 0; i < 5; ++i) {
      history.run(1000);
      rounds_done += history.rounds_done();
      history.recover();
    }
    if (HasFailure()) return;
  }
  EXPECT_GT(rounds_done, 1000);
}

TEST(BreakerHistory, RecoversWhateverTheClockDid) {
  for (uint64_t seed = first_seed(); seed < first_seed() + 100; ++seed) {
    SCOPED_TRACE("TOLL_SEED=" + std::to_string(seed));
    History history(seed, true);
    for (int i = 0; i < 5; ++i) {
      history.run(1000);
      history.recover();
    }
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace toll::engine
