// Random histories over random limits, every field of every answer compared with the models of
// algorithm_models.h. TOLL_SEED replays a failure, which prints its seed.
#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <random>

#include "engine/algorithms.h"
#include "tests/unit/algorithm_models.h"
#include "tests/unit/seed.h"
#include "tests/unit/times.h"

namespace toll::engine {
namespace {

constexpr int kHistories = 2500;
constexpr int kSteps = 50;
constexpr uint64_t kAlgorithmsSeed = 20'260'101;

// The words of a random history.
class Chance {
 public:
  explicit Chance(uint64_t seed) : engine_(seed) {}

  int64_t from(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(engine_);
  }
  bool one_in(int64_t n) { return from(1, n) == 1; }

  // Any size equally often; the ends themselves now and then.
  int64_t of_any_size(int64_t low, int64_t high) {
    if (one_in(10)) return one_in(2) ? low : high;
    const double size = std::uniform_real_distribution<double>(
        std::log2(static_cast<double>(low)), std::log2(static_cast<double>(high)))(engine_);
    return std::clamp(static_cast<int64_t>(std::exp2(size)), low, high);
  }

  Limit limit(Algorithm algorithm) {
    const bool bucket = algorithm == Algorithm::kGcra || algorithm == Algorithm::kTokenBucket;
    for (;;) {
      const int64_t count_max = one_in(2) ? 20 : kLimitCountMax;
      const int64_t count = of_any_size(1, count_max);
      const int64_t burst = bucket && one_in(2) ? of_any_size(1, count_max) : count;
      int64_t window_us = of_any_size(kWindowMinUs, one_in(3) ? 100'000 : kWindowMaxUs);
      Calendar calendar = Calendar::kNone;
      if (!bucket) {
        window_us -= window_us % kUsPerMs;
        if (one_in(4)) calendar = one_in(2) ? Calendar::kDay : Calendar::kMonth;
      }
      const Limit limit = make_limit(count, burst, window_us, calendar);
      if (limit_fault(algorithm, limit).empty()) return limit;
    }
  }

  TimeUs start() {
    if (one_in(4)) return from(0, 1'000'000);
    if (one_in(4)) return kTimeMaxUs - of_any_size(1, kTimeMaxUs / 2);
    return kNoon + from(0, 366LL * 86'400'000'000);
  }

  // A step of the clock: none, to the edges of windows, and past many.
  TimeUs step(const Limit& limit, TimeUs now, bool may_step_back) {
    const int64_t edge = model::window_holding(limit, now / kUsPerMs).end_ms * kUsPerMs;
    int64_t step = 0;
    switch (from(0, 9)) {
      case 0:
      case 1:
        return now;
      case 2:
        step = one_in(2) ? 1 : kUsPerMs;
        break;
      case 3:
        step = std::max(edge - now + from(-1, 1) * (one_in(2) ? 1 : kUsPerMs), int64_t{0});
        break;
      case 4:
        step = limit.window_us / limit.count + from(0, 1);
        break;
      case 5:
        step = limit.window_us * from(1, 2) + from(-1, 1);
        break;
      case 6:
        step = limit.window_us * from(2, 10);
        break;
      default:
        step = from(0, limit.window_us);
    }
    if (may_step_back && one_in(4)) step = -step;
    return std::clamp(now + step, TimeUs{0}, kTimeMaxUs);
  }

  // Units around what matters: what is left, what the limit is, and anything.
  int64_t units(const Limit& limit, int64_t remaining) {
    switch (from(0, 4)) {
      case 0:
        return std::clamp(remaining + from(-1, 1), int64_t{1}, kUnitsMax);
      case 1:
        return std::clamp(limit.burst + from(-1, 1), int64_t{1}, kUnitsMax);
      case 2:
        return of_any_size(1, kUnitsMax);
      default:
        return of_any_size(1, limit.burst);
    }
  }

 private:
  std::mt19937_64 engine_;
};

// The state under test and its model, driven side by side.
template <typename Tested, typename Model>
class Pair {
 public:
  explicit Pair(const Limit& limit) : limit_(limit), model_(limit) {}

  void advance(TimeUs now) {
    now_ = now;
    Tested::advance(limit_, state_, now);
    model_.advance(now);
  }

  void act(Chance& chance) {
    const int64_t units = chance.units(limit_, remaining());
    switch (chance.from(0, 9)) {
      case 0:
        return;  // PEEK
      case 1:
        Tested::refund(limit_, state_, now_, units);
        model_.refund(units);
        return;
      case 2:
        Tested::charge(limit_, state_, now_, units);
        model_.charge(units);
        return;
      default:
        if (!Tested::admits(limit_, state_, now_, units)) return;
        Tested::charge(limit_, state_, now_, units);
        model_.charge(units);
    }
  }

  void compare(int64_t units) const {
    ASSERT_EQ(remaining(), model_.remaining());
    ASSERT_EQ(Tested::admits(limit_, state_, now_, units), model_.admits(units)) << units;
    ASSERT_EQ(Tested::retry_us(limit_, state_, now_, units), model_.retry_us(units)) << units;
    ASSERT_EQ(Tested::reset_us(limit_, state_, now_), model_.reset_us());
    ASSERT_EQ(Tested::idle(limit_, state_, now_), model_.reset_us() == 0);
    ASSERT_LE(remaining(), limit_.burst);
  }

  // Waiting for what was said is enough, and a moment less is not.
  void wait_out(int64_t units) const {
    const int64_t retry_us = Tested::retry_us(limit_, state_, now_, units);
    if (retry_us <= 0 || retry_us >= kTimeMaxUs - now_) return;
    ASSERT_TRUE(admits_at(now_ + retry_us, units)) << units << " after " << retry_us;
    ASSERT_FALSE(admits_at(now_ + retry_us - Model::kStepUs, units))
        << units << " before " << retry_us;
  }

  int64_t remaining() const { return Tested::remaining(limit_, state_, now_); }
  const Limit& limit() const { return limit_; }

 private:
  bool admits_at(TimeUs time, int64_t units) const {
    auto later = state_;
    Tested::advance(limit_, later, time);
    return Tested::admits(limit_, later, time, units);
  }

  Limit limit_;
  typename Tested::State state_;
  Model model_;
  TimeUs now_ = 0;
};

template <typename Tested, typename Model>
void run_histories(Algorithm algorithm, bool may_step_back) {
  const uint64_t seed = test_seed(kAlgorithmsSeed);
  for (int history = 0; history < kHistories; ++history) {
    Chance chance(seed + static_cast<uint64_t>(history));
    Pair<Tested, Model> pair(chance.limit(algorithm));
    const Limit& limit = pair.limit();
    TimeUs now = chance.start();
    for (int step = 0; step < kSteps; ++step) {
      SCOPED_TRACE(testing::Message()
                   << "TOLL_SEED=" << seed << " history " << history << " step " << step << " now "
                   << now << " limit " << limit.count << " burst " << limit.burst << " / "
                   << limit.window_us << " us, calendar " << static_cast<int>(limit.calendar));
      pair.advance(now);
      const int64_t units = chance.units(limit, pair.remaining());
      pair.compare(units);
      pair.wait_out(units);
      pair.act(chance);
      pair.compare(chance.units(limit, pair.remaining()));
      if (testing::Test::HasFatalFailure()) return;
      now = chance.step(limit, now, may_step_back);
    }
  }
}

TEST(AlgorithmProperties, GcraDecidesAsTheExactModelDoes) {
  run_histories<Gcra, model::GcraModel>(Algorithm::kGcra, false);
}
TEST(AlgorithmProperties, GcraDecidesAsTheExactModelDoesWhenTheClockStepsBack) {
  run_histories<Gcra, model::GcraModel>(Algorithm::kGcra, true);
}
TEST(AlgorithmProperties, TokenBucketDecidesAsTheExactModelDoes) {
  run_histories<TokenBucket, model::TokenBucketModel>(Algorithm::kTokenBucket, false);
}
TEST(AlgorithmProperties, TokenBucketDecidesAsTheExactModelDoesWhenTheClockStepsBack) {
  run_histories<TokenBucket, model::TokenBucketModel>(Algorithm::kTokenBucket, true);
}
TEST(AlgorithmProperties, FixedWindowDecidesAsALogOfRequestsDoes) {
  run_histories<FixedWindow, model::FixedWindowModel>(Algorithm::kFixedWindow, false);
}
TEST(AlgorithmProperties, FixedWindowDecidesAsALogOfRequestsDoesWhenTheClockStepsBack) {
  run_histories<FixedWindow, model::FixedWindowModel>(Algorithm::kFixedWindow, true);
}
TEST(AlgorithmProperties, SlidingWindowDecidesAsALogOfRequestsDoes) {
  run_histories<SlidingWindow, model::SlidingWindowModel>(Algorithm::kSlidingWindow, false);
}
TEST(AlgorithmProperties, SlidingWindowDecidesAsALogOfRequestsDoesWhenTheClockStepsBack) {
  run_histories<SlidingWindow, model::SlidingWindowModel>(Algorithm::kSlidingWindow, true);
}

// Can the deepest debt of `limit` be repaid before time ends? Where it cannot, gcra's debt is cut.
bool debt_ends_in_time(const Limit& limit) {
  const model::Wide longest = model::Wide{limit.burst + kDebtUnitsMax} * limit.window_us;
  return longest <= model::Wide{kTimeMaxUs / 4} * limit.count;
}

Limit limit_with_bounded_debt(Chance& chance, Algorithm algorithm) {
  Limit limit = chance.limit(algorithm);
  while (!debt_ends_in_time(limit)) limit = chance.limit(algorithm);
  return limit;
}

TEST(AlgorithmProperties, GcraAndTokenBucketDecideAlike) {
  const uint64_t seed = test_seed(kAlgorithmsSeed);
  for (int history = 0; history < kHistories; ++history) {
    Chance chance(seed + static_cast<uint64_t>(history));
    const Limit limit = limit_with_bounded_debt(chance, Algorithm::kGcra);
    Gcra::State gcra;
    TokenBucket::State bucket;
    TimeUs now = chance.from(0, 1000);
    for (int step = 0; step < kSteps; ++step) {
      SCOPED_TRACE(testing::Message() << "TOLL_SEED=" << seed << " history " << history << " step "
                                      << step << " now " << now);
      TokenBucket::advance(limit, bucket, now);
      const int64_t left = Gcra::remaining(limit, gcra, now);
      const int64_t units = chance.units(limit, left);
      const bool admitted = Gcra::admits(limit, gcra, now, units);
      ASSERT_EQ(left, TokenBucket::remaining(limit, bucket, now));
      ASSERT_EQ(admitted, TokenBucket::admits(limit, bucket, now, units));
      ASSERT_EQ(Gcra::retry_us(limit, gcra, now, units),
                TokenBucket::retry_us(limit, bucket, now, units));
      ASSERT_EQ(Gcra::reset_us(limit, gcra, now), TokenBucket::reset_us(limit, bucket, now));
      if (chance.one_in(8)) {
        Gcra::refund(limit, gcra, now, units);
        TokenBucket::refund(limit, bucket, now, units);
      } else if (admitted || chance.one_in(20)) {
        Gcra::charge(limit, gcra, now, units);
        TokenBucket::charge(limit, bucket, now, units);
      }
      now = std::min(chance.step(limit, now, false), kTimeMaxUs / 2);
    }
  }
}

// The same limit, one that differs in its window alone, or quite another.
Limit another_limit(Chance& chance, Algorithm algorithm, const Limit& limit) {
  if (chance.one_in(3)) return limit;
  const Limit other = limit_with_bounded_debt(chance, algorithm);
  if (chance.one_in(2)) return other;
  const Limit mixed = make_limit(limit.count, limit.burst, other.window_us, other.calendar);
  const bool fit = limit_fault(algorithm, mixed).empty() && debt_ends_in_time(mixed);
  return fit ? mixed : other;
}

// Uses some of a limit, carries it to another and compares what is used before and after.
template <typename Tested>
void run_carries(Algorithm algorithm) {
  const uint64_t seed = test_seed(kAlgorithmsSeed);
  for (int history = 0; history < kHistories; ++history) {
    SCOPED_TRACE(testing::Message() << "TOLL_SEED=" << seed << " history " << history);
    Chance chance(seed + static_cast<uint64_t>(history));
    Limit limit = limit_with_bounded_debt(chance, algorithm);
    typename Tested::State state;
    TimeUs now = kNoon + chance.from(0, 100'000'000'000);
    for (int step = 0; step < kSteps; ++step) {
      Tested::advance(limit, state, now);
      const int64_t left = Tested::remaining(limit, state, now);
      const int64_t units = chance.units(limit, left);
      if (Tested::admits(limit, state, now, units) || chance.one_in(20)) {
        Tested::charge(limit, state, now, units);
      }
      const int64_t before = Tested::remaining(limit, state, now);
      const int64_t used = limit.burst - before;

      const Limit next = another_limit(chance, algorithm, limit);
      Tested::carry(limit, next, state, now);
      const int64_t after = Tested::remaining(next, state, now);
      const int64_t expected = std::max(next.burst - used, -kDebtUnitsMax);
      // At its bound `remaining` hides how much more is used since the clock stepped back.
      const bool hidden = before == -kDebtUnitsMax;
      ASSERT_TRUE(after == expected || (hidden && after < expected))
          << "step " << step << ": " << after << " instead of " << expected << ", used " << used
          << " of " << limit.burst << " before";
      ASSERT_EQ(Tested::idle(next, state, now), used == 0);
      limit = next;
      now = chance.step(limit, now, true);
    }
  }
}

TEST(AlgorithmProperties, CarryKeepsWhatWasUsed) {
  run_carries<Gcra>(Algorithm::kGcra);
  run_carries<TokenBucket>(Algorithm::kTokenBucket);
  run_carries<FixedWindow>(Algorithm::kFixedWindow);
  run_carries<SlidingWindow>(Algorithm::kSlidingWindow);
}

}  // namespace
}  // namespace toll::engine
