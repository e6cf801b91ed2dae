// In steady state a batch, and the queue around it, allocate nothing.
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "engine/store_queue.h"
#include "tests/unit/counting_allocator.h"
#include "tests/unit/store_fixture.h"

namespace toll::engine {
namespace {

class StoreAllocation : public StoreTest {};

TEST_F(StoreAllocation, TheCounterCounts) {
  EXPECT_EQ(test::allocations_of([] { operator delete(operator new(8)); }), 1u);
}

TEST_F(StoreAllocation, SteadyTrafficAllocatesNothing) {
  for (const Algorithm algorithm :
       {Algorithm::kGcra, Algorithm::kTokenBucket, Algorithm::kSlidingLog,
        Algorithm::kSlidingWindow, Algorithm::kFixedWindow}) {
    policy(std::string(to_string(algorithm)), algorithm,
           {make_limit(50, 0, kSecond), make_limit(500, 0, kHour)});
  }
  policy("jobs", Algorithm::kConcurrency, {make_limit(50, 0, kSecond)});
  for (int i = 0; i < 40; ++i) {
    const std::string id = "id" + std::to_string(i % 30);
    for (const Policy& policy : table_->policies()) {
      const bool tickets = policy.spec.algorithm == Algorithm::kConcurrency;
      question(tickets ? Verb::kAcquire : Verb::kCheck, policy.spec.name, id).operations[0].ticket =
          static_cast<uint64_t>(i);
    }
    group({{"gcra", id}, {"sliding_log", id}, {"gcra", id}});
  }

  StoreQueue queue(StoreQueue::Settings{});
  queue.adopt(rules_);
  std::string reply;
  const auto turn = [&] {
    for (Question& each : questions_) {
      if (!queue.put(each.request)) std::abort();
    }
    StoreQueue::Flight* flight = queue.start(0, kNoon, SIZE_MAX);
    if (reply.empty()) reply = admit_all(flight->batch, kNoon);
    if (!queue.settle(*flight, reply)) std::abort();
    while (queue.take_answered() != nullptr) {
    }
  };
  for (int i = 0; i < 5; ++i) turn();
  EXPECT_EQ(test::allocations_of([&] {
              for (int i = 0; i < 50; ++i) turn();
            }),
            0u);
  for (const Question& each : questions_) {
    EXPECT_EQ(each.request.result, StoreResult::kDecided);
    EXPECT_EQ(each.outcome(), Outcome::kAdmitted);
  }
}

}  // namespace
}  // namespace toll::engine
