// In steady state, with keys that are there, a shard allocates nothing.
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "tests/unit/counting_allocator.h"
#include "tests/unit/shard_fixture.h"

namespace toll::engine {
namespace {

class ShardAllocation : public ShardTest {
 protected:
  ShardAllocation() {
    for (const Algorithm algorithm :
         {Algorithm::kGcra, Algorithm::kTokenBucket, Algorithm::kSlidingLog,
          Algorithm::kSlidingWindow, Algorithm::kFixedWindow}) {
      const std::string name(to_string(algorithm));
      policy(name, algorithm, {make_limit(5, 0, 10 * kMs), make_limit(50, 0, 100 * kMs)});
      for (int i = 0; i < 20; ++i) {
        for (const Verb verb : {Verb::kCheck, Verb::kPeek, Verb::kCharge, Verb::kRefund}) {
          batch_.push_back(operation(verb, name, std::to_string(i)));
        }
      }
    }
    policy("jobs", Algorithm::kConcurrency, {make_limit(5, 0, 10 * kMs)});
    for (uint64_t i = 0; i < 20; ++i) {
      Operation op = operation(i % 3 == 0 ? Verb::kRelease : Verb::kAcquire, "jobs", "ann");
      op.ticket = 1 + i - i % 3;
      batch_.push_back(op);
    }
  }

  void turn() {
    now_ += kMs;
    shard_->decide(batch_, now_);
  }

  std::vector<Operation> batch_;
};

TEST_F(ShardAllocation, TheCounterCounts) {
  EXPECT_EQ(test::allocations_of([] { operator delete(operator new(8)); }), 1u);
}

TEST_F(ShardAllocation, DecidingOnKeysThatAreThereAllocatesNothing) {
  for (int i = 0; i < 200; ++i) turn();
  EXPECT_EQ(test::allocations_of([&] {
              for (int i = 0; i < 1000; ++i) turn();
            }),
            0u);
}

TEST_F(ShardAllocation, KeysThatComeAndGoAllocateNothingOnceThereIsRoom) {
  policy("brief", Algorithm::kGcra, {make_limit(5, 0, 10 * kMs)});
  std::vector<Operation> wave;
  for (int i = 0; i < 400; ++i) {
    wave.push_back(operation(Verb::kCheck, "brief", std::to_string(i)));
  }
  const auto waves = [&](int count) {
    for (int i = 0; i < count; ++i) {
      now_ += kWarmSeconds * kSecond;
      shard_->sweep(now_, 1000);
      shard_->decide(wave, now_);
    }
  };
  waves(10);
  EXPECT_EQ(test::allocations_of([&] { waves(50); }), 0u);
  EXPECT_GT(shard_->stats().expired, 10'000u);
}

TEST_F(ShardAllocation, GroupsAllocateNothing) {
  std::vector<Operation> group;
  for (int i = 0; i < 20; ++i) {
    group.push_back(operation(Verb::kCheck, "gcra", std::to_string(i)));
    group.push_back(operation(Verb::kCheck, "sliding_log", std::to_string(i)));
  }
  const auto turns = [&](int count) {
    for (int i = 0; i < count; ++i) {
      now_ += kMs;
      shard_->decide_together(group, now_);
    }
  };
  turns(200);
  EXPECT_EQ(test::allocations_of([&] { turns(500); }), 0u);
}

}  // namespace
}  // namespace toll::engine
