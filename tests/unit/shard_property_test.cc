// Random operations over few keys, every field of every answer compared with the algorithms applied
// directly, one object per key and nothing shared. TOLL_SEED replays a failure, which prints
// its seed.
#include <cstdint>
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "engine/algorithms.h"
#include "engine/concurrency.h"
#include "engine/sliding_log.h"
#include "tests/unit/seed.h"
#include "tests/unit/shard_fixture.h"

namespace toll::engine {
namespace {

// One key as it should be.
class Reference {
 public:
  virtual ~Reference() = default;
  // Decides, and applies unless it refuses.
  virtual void decide(Operation& op, TimeUs now) = 0;
  // Keeps the state as it is now; undo() goes back to the last one kept, behind a check of which
  // `op` is the answer.
  virtual void remember() = 0;
  virtual void undo(const Operation& op, TimeUs now) = 0;
};

template <typename A>
class ReferenceOf : public Reference {
 public:
  explicit ReferenceOf(std::vector<Limit> limits)
      : limits_(std::move(limits)), states_(limits_.size()) {}
  ~ReferenceOf() override {
    if constexpr (kHangs) {
      for (auto& state : states_) A::clear(store_, state);
    }
  }

  void decide(Operation& op, TimeUs now) override {
    for (size_t i = 0; i < limits_.size(); ++i) call_advance(i, now);
    op.outcome = Outcome::kDone;
    int64_t wait_us = 0;
    size_t slowest = 0;
    if (op.verb == Verb::kCheck || op.verb == Verb::kAcquire) {
      op.outcome = Outcome::kAdmitted;
      for (size_t i = 0; i < limits_.size(); ++i) {
        if (A::admits(limits_[i], states_[i], now, op.units)) continue;
        op.outcome = Outcome::kRefused;
        const int64_t wait = call_retry(i, now, op.units);
        if (wait_us == kNever || (wait != kNever && wait <= wait_us)) continue;
        wait_us = wait;
        slowest = i;
      }
    }
    if (op.outcome == Outcome::kRefused) return answer(op, slowest, wait_us, now);
    for (size_t i = 0; i < limits_.size(); ++i) apply(op, i, now);
    size_t least = 0;
    for (size_t i = 1; i < limits_.size(); ++i) {
      if (left(i, now) < left(least, now)) least = i;
    }
    answer(op, least, 0, now);
  }

  void remember() override { kept_.push_back(states_); }

  void undo(const Operation& op, TimeUs now) override {
    if constexpr (std::is_same_v<A, SlidingLog>) {
      // Its entries are not in the state; what was charged last is refunded first.
      const bool charged = op.outcome == Outcome::kAdmitted;
      for (size_t i = 0; i < limits_.size() && charged; ++i) {
        A::refund(store_, limits_[i], states_[i], now, op.units);
      }
    } else {
      states_ = kept_.back();
    }
    kept_.pop_back();
  }

 private:
  static constexpr bool kTickets = std::is_same_v<A, Concurrency>;
  static constexpr bool kHangs = kTickets || std::is_same_v<A, SlidingLog>;

  int64_t left(size_t i, TimeUs now) const { return A::remaining(limits_[i], states_[i], now); }

  void answer(Operation& op, size_t i, int64_t wait_us, TimeUs now) {
    int64_t reset_us = 0;
    if constexpr (kHangs) {
      reset_us = A::reset_us(store_, limits_[i], states_[i], now);
    } else {
      reset_us = A::reset_us(limits_[i], states_[i], now);
    }
    op.answer = {limits_[i].burst, left(i, now), wait_us, reset_us};
  }

  void call_advance(size_t i, TimeUs now) {
    if constexpr (kHangs) {
      A::advance(store_, limits_[i], states_[i], now);
    } else {
      A::advance(limits_[i], states_[i], now);
    }
  }

  int64_t call_retry(size_t i, TimeUs now, int64_t units) {
    if constexpr (kHangs) {
      return A::retry_us(store_, limits_[i], states_[i], now, units);
    } else {
      return A::retry_us(limits_[i], states_[i], now, units);
    }
  }

  void apply(const Operation& op, size_t i, TimeUs now) {
    if (op.verb == Verb::kPeek) return;
    EXPECT_TRUE(store_.reserve(1));
    if constexpr (kTickets) {
      if (op.verb == Verb::kRelease) A::release(store_, states_[i], op.ticket);
      if (op.verb == Verb::kAcquire) {
        A::acquire(store_, limits_[i], states_[i], now, op.units, op.ttl_us, op.ticket);
      }
    } else if constexpr (kHangs) {
      if (op.verb == Verb::kRefund) return A::refund(store_, limits_[i], states_[i], now, op.units);
      A::charge(store_, limits_[i], states_[i], now, op.units);
    } else {
      if (op.verb == Verb::kRefund) return A::refund(limits_[i], states_[i], now, op.units);
      A::charge(limits_[i], states_[i], now, op.units);
    }
  }

  std::vector<Limit> limits_;
  std::vector<typename A::State> states_;
  std::vector<std::vector<typename A::State>> kept_;
  MemoryBudget budget_{size_t{1} << 20};
  BlockStore store_{budget_};
};

std::unique_ptr<Reference> reference_for(const PolicySpec& spec) {
  switch (spec.algorithm) {
    case Algorithm::kGcra:
      return std::make_unique<ReferenceOf<Gcra>>(spec.limits);
    case Algorithm::kTokenBucket:
      return std::make_unique<ReferenceOf<TokenBucket>>(spec.limits);
    case Algorithm::kSlidingLog:
      return std::make_unique<ReferenceOf<SlidingLog>>(spec.limits);
    case Algorithm::kSlidingWindow:
      return std::make_unique<ReferenceOf<SlidingWindow>>(spec.limits);
    case Algorithm::kFixedWindow:
      return std::make_unique<ReferenceOf<FixedWindow>>(spec.limits);
    case Algorithm::kConcurrency:
      return std::make_unique<ReferenceOf<Concurrency>>(spec.limits);
  }
  return nullptr;
}

constexpr uint64_t kShardSeed = 20'260'105;

class ShardHistory : public ShardTest {
 protected:
  ShardHistory() : ShardTest(size_t{4} << 20), random_(test_seed(kShardSeed)) {}

  uint64_t below(uint64_t n) { return random_() % n; }

  // Some policies of every algorithm, with small limits and short windows.
  void make_policies() {
    for (int i = 0; i < 12; ++i) {
      const auto algorithm = static_cast<Algorithm>(i % 6);
      const size_t count = algorithm == Algorithm::kConcurrency ? 1 : 1 + below(3);
      std::vector<Limit> limits;
      for (size_t j = 0; j < count; ++j) {
        limits.push_back(make_limit(static_cast<int64_t>(2 + below(12)), 0,
                                    static_cast<int64_t>(1 + below(300)) * kMs));
      }
      policy("p" + std::to_string(i), algorithm, limits);
    }
  }

  Operation random_operation(uint64_t ids) {
    const Policy& policy = table_->policies()[below(table_->policies().size())];
    constexpr Verb kVerbs[] = {Verb::kCheck,  Verb::kCheck,  Verb::kCheck, Verb::kCharge,
                               Verb::kRefund, Verb::kRefund, Verb::kPeek,  Verb::kReset};
    constexpr Verb kTicketVerbs[] = {Verb::kAcquire, Verb::kAcquire, Verb::kRelease, Verb::kPeek};
    const bool tickets = policy.spec.algorithm == Algorithm::kConcurrency;
    Verb verb = tickets ? kTicketVerbs[below(4)] : kVerbs[below(8)];
    if (verb == Verb::kReset && below(4) != 0) verb = Verb::kPeek;
    const std::string id = std::to_string(below(ids));
    Operation op = operation(verb, policy.spec.name, id, static_cast<int64_t>(1 + below(4)));
    op.ttl_us = below(2) == 0 ? 0 : static_cast<int64_t>(1 + below(50)) * kMs;
    if (verb == Verb::kAcquire) op.ticket = ++tickets_;
    if (verb == Verb::kRelease) op.ticket = tickets_ - std::min(tickets_, below(20));
    return op;
  }

  Reference& reference(const Operation& op) {
    std::unique_ptr<Reference>& found = references_[op.key.rest];
    if (found == nullptr) found = reference_for(table_->policies()[op.policy].spec);
    return *found;
  }

  Operation expected(Operation op) {
    if (op.verb == Verb::kReset) {
      references_.erase(op.key.rest);
      op.verb = Verb::kPeek;
    }
    const bool existed = references_.contains(op.key.rest);
    reference(op).decide(op, now_);
    // Only what uses something makes a key that is there from then on.
    const bool used = op.verb == Verb::kCharge || op.outcome == Outcome::kAdmitted;
    if (!existed && !used) references_.erase(op.key.rest);
    return op;
  }

  static void compare(const Operation& got, const Operation& expected) {
    ASSERT_EQ(got.outcome, expected.outcome);
    ASSERT_EQ(got.answer.limit, expected.answer.limit);
    ASSERT_EQ(got.answer.remaining, expected.answer.remaining);
    ASSERT_EQ(got.answer.retry_us, expected.answer.retry_us);
    ASSERT_EQ(got.answer.reset_us, expected.answer.reset_us);
  }

  void decide_batch(uint64_t ids) {
    std::vector<Operation> batch;
    for (uint64_t i = 1 + below(100); i > 0; --i) batch.push_back(random_operation(ids));
    std::vector<Operation> asked = batch;
    shard_->decide(batch, now_);
    for (size_t i = 0; i < batch.size() && !HasFatalFailure(); ++i) {
      SCOPED_TRACE("operation " + std::to_string(i) + " of a batch, verb " +
                   std::to_string(static_cast<int>(asked[i].verb)));
      compare(batch[i], expected(asked[i]));
    }
  }

  // The reference charges one after the other, and takes it all back if one is refused.
  void decide_group(uint64_t ids) {
    std::vector<Operation> group;
    for (const uint64_t size = 1 + below(5); group.size() < size;) {
      Operation op = random_operation(ids);
      op.verb = Verb::kCheck;
      op.units = static_cast<int64_t>(1 + below(2));
      const Algorithm algorithm = table_->policies()[op.policy].spec.algorithm;
      if (algorithm != Algorithm::kConcurrency) group.push_back(op);
    }
    std::vector<Operation> asked = group;
    const bool all = shard_->decide_together(group, now_);
    bool expected_all = true;
    for (Operation& op : asked) {
      reference(op).remember();
      reference(op).decide(op, now_);
      expected_all = expected_all && op.outcome == Outcome::kAdmitted;
    }
    ASSERT_EQ(all, expected_all);
    for (size_t i = 0; i < group.size(); ++i) {
      ASSERT_EQ(group[i].outcome, asked[i].outcome);
      if (all) compare(group[i], asked[i]);
    }
    if (all) return;
    for (size_t i = asked.size(); i-- > 0;) reference(asked[i]).undo(asked[i], now_);
  }

  std::mt19937_64 random_;
  std::map<uint64_t, std::unique_ptr<Reference>> references_;
  uint64_t tickets_ = 0;
};

TEST_F(ShardHistory, AShardDecidesAsTheAlgorithmsDoAndExpiryIsNotSeen) {
  SCOPED_TRACE("TOLL_SEED=" + std::to_string(test_seed(kShardSeed)));
  make_policies();
  for (int turn = 0; turn < 3000 && !HasFatalFailure(); ++turn) {
    now_ += static_cast<TimeUs>(below(8) == 0 ? below(400'000) : below(3'000));
    if (below(50) == 0) now_ += kWarmSeconds * kSecond;  // for a sweep to find something
    if (below(10) == 0) shard_->sweep(now_, below(200));
    decide_batch(20);
  }
  EXPECT_GT(shard_->stats().expired, 100u);
  EXPECT_EQ(shard_->stats().evicted, 0u);
}

TEST_F(ShardHistory, AGroupIsAsOneAfterTheOtherOrNotAtAll) {
  SCOPED_TRACE("TOLL_SEED=" + std::to_string(test_seed(kShardSeed)));
  make_policies();
  for (int turn = 0; turn < 10'000 && !HasFatalFailure(); ++turn) {
    now_ += static_cast<TimeUs>(below(5'000));
    decide_group(2);
    if (below(4) == 0) decide_batch(2);
  }
}

// With one key per history, so that adding another does not free it: a freed key is fresh to a
// clock that steps back, which its reference is not.
TEST_F(ShardHistory, AShardDecidesAsTheAlgorithmsDoWhenTheClockStepsBack) {
  SCOPED_TRACE("TOLL_SEED=" + std::to_string(test_seed(kShardSeed)));
  for (int history = 0; history < 300 && !HasFatalFailure(); ++history) {
    shard_ = std::make_unique<Shard>(Shard::Settings{size_t{64} << 10});
    references_.clear();
    table_ = nullptr;
    specs_.clear();
    policy("p", static_cast<Algorithm>(history % 6),
           {make_limit(static_cast<int64_t>(2 + below(12)), 0,
                       static_cast<int64_t>(1 + below(300)) * kMs)});
    for (int turn = 0; turn < 30 && !HasFatalFailure(); ++turn) {
      now_ += static_cast<TimeUs>(below(80'000));
      if (below(5) == 0) now_ -= static_cast<TimeUs>(below(300'000));
      decide_batch(1);
    }
  }
}

}  // namespace
}  // namespace toll::engine
