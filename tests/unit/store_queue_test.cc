// What waits for the store: order, batches that form by themselves, bounds, deadlines.
#include "engine/store_queue.h"

#include <cstdint>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "tests/unit/store_fixture.h"

namespace toll::engine {
namespace {

class StoreQueueTest : public StoreTest {
 protected:
  using Flight = StoreQueue::Flight;

  StoreQueueTest() {
    policy("api", Algorithm::kGcra, {make_limit(1000, 0, kSecond)});
    make({.waiting_max = 8, .flights_max = 2, .batch = {.requests_max = 4}});
  }

  void make(const StoreQueue::Settings& settings) {
    queue_ = std::make_unique<StoreQueue>(settings);
    queue_->adopt(rules_);
  }

  // A check by `id`, due at `deadline_ns`.
  Question& put(const std::string& id, int64_t deadline_ns = INT64_MAX) {
    Question& made = question(Verb::kCheck, "api", id);
    made.request.deadline_ns = deadline_ns;
    EXPECT_TRUE(queue_->put(made.request));
    return made;
  }
  Flight* start(int64_t now_ns = 0, size_t requests_max = SIZE_MAX) {
    return queue_->start(now_ns, kNoon, requests_max);
  }
  bool settle(Flight* flight) {
    return queue_->settle(*flight, admit_all(flight->batch, kNoon)).has_value();
  }

  // The ids that came back since, each with its result: "a=decided b=away".
  std::string answered() {
    std::string text;
    while (StoreRequest* request = queue_->take_answered()) {
      text += (text.empty() ? "" : " ") + static_cast<Question*>(request->owner)->ids[0];
      text += request->result == StoreResult::kDecided ? "=decided" : "=away";
    }
    return text;
  }
  static std::string names(const Flight* flight) {
    std::string text;
    for (const StoreRequest* request : flight->batch.requests()) {
      text += request == nullptr ? "-" : static_cast<Question*>(request->owner)->ids[0];
    }
    return text;
  }

  std::unique_ptr<StoreQueue> queue_;
};

TEST_F(StoreQueueTest, RequestsLeaveAndComeBackInTheirOrder) {
  for (const char* id : {"a", "b", "c"}) put(id);
  Flight* flight = start(7);
  EXPECT_EQ(names(flight), "abc");
  EXPECT_EQ(flight->sent_ns, 7);
  EXPECT_EQ(answered(), "");
  EXPECT_TRUE(settle(flight));
  EXPECT_EQ(answered(), "a=decided b=decided c=decided");
  EXPECT_EQ(questions_[0].outcome(), Outcome::kAdmitted);
  EXPECT_EQ(questions_[0].answer().remaining, 999);
}

TEST_F(StoreQueueTest, WhatCollectsWhileBatchesAreUnderWayLeavesAsOne) {
  put("a");
  Flight* first = start();
  put("b");
  Flight* second = start();
  EXPECT_NE(first->index, second->index);
  for (const char* id : {"c", "d", "e"}) put(id);
  EXPECT_FALSE(queue_->may_start());
  EXPECT_EQ(queue_->flights(), 2u);
  EXPECT_TRUE(settle(second));  // they may come back in any order
  ASSERT_TRUE(queue_->may_start());
  EXPECT_EQ(names(start()), "cde");
  EXPECT_EQ(queue_->waiting(), 0u);
  EXPECT_FALSE(queue_->may_start());
  EXPECT_TRUE(settle(first));
  EXPECT_EQ(answered(), "b=decided a=decided");
}

TEST_F(StoreQueueTest, ABatchIsBoundedAndTheRestIsTheNext) {
  for (const char* id : {"a", "b", "c", "d", "e", "f"}) put(id);
  EXPECT_EQ(names(start()), "abcd");
  EXPECT_EQ(queue_->waiting(), 2u);
  EXPECT_EQ(names(start(0, 1)), "e");
  EXPECT_EQ(queue_->waiting(), 1u);
}

TEST_F(StoreQueueTest, WaitingIsBounded) {
  for (int i = 0; i < 8; ++i) put(std::to_string(i));
  Question& late = question(Verb::kCheck, "api", "late");
  EXPECT_FALSE(queue_->put(late.request));
  EXPECT_EQ(queue_->waiting(), 8u);
  start();
  EXPECT_TRUE(queue_->put(late.request));
}

TEST_F(StoreQueueTest, WhatNobodyWaitsForLeavesLaterOrWithTheNext) {
  const auto put_patient = [this](const std::string& id, int64_t leave_ns) {
    Question& made = question(Verb::kCheck, "api", id);
    made.request.deadline_ns = INT64_MAX;
    EXPECT_TRUE(queue_->put(made.request, leave_ns));
  };
  EXPECT_EQ(queue_->leave_ns(), INT64_MAX);
  put_patient("a", 30);
  put_patient("b", 20);
  EXPECT_EQ(queue_->leave_ns(), 20);
  put("c");
  EXPECT_EQ(queue_->leave_ns(), 0);
  Flight* flight = start();
  EXPECT_EQ(names(flight), "abc");

  put_patient("d", 40);
  EXPECT_EQ(queue_->leave_ns(), 40);
  queue_->hurry();
  EXPECT_EQ(queue_->leave_ns(), 0);
  start();
  EXPECT_EQ(queue_->leave_ns(), INT64_MAX);
  queue_->hurry();  // of none
  put_patient("e", 50);
  EXPECT_EQ(queue_->leave_ns(), INT64_MAX) << "as many are under way as may be";
  EXPECT_TRUE(settle(flight));
  EXPECT_EQ(queue_->leave_ns(), 50);
}

TEST_F(StoreQueueTest, ManyThatNobodyWaitsForDoNotWaitForMore) {
  make({.waiting_max = 8, .flights_max = 2, .crowd = 3, .batch = {.requests_max = 2}});
  for (const char* id : {"a", "b", "c"}) {
    EXPECT_EQ(queue_->leave_ns(), *id == 'a' ? INT64_MAX : 90);
    Question& made = question(Verb::kCheck, "api", id);
    made.request.deadline_ns = INT64_MAX;
    EXPECT_TRUE(queue_->put(made.request, 90));
  }
  EXPECT_EQ(queue_->leave_ns(), 0);
  start();
  EXPECT_EQ(queue_->leave_ns(), 0) << "the rest does not wait again";
}

TEST_F(StoreQueueTest, WhatNeedNotBeAskedIsAnsweredByTheWay) {
  put("a");
  Question& unknown = question(Verb::kCheck, "nobody", "b");
  Question& unfit = question(Verb::kAcquire, "api", "c");
  EXPECT_TRUE(queue_->put(unknown.request) && queue_->put(unfit.request));
  put("d");
  EXPECT_EQ(names(start()), "ad");
  EXPECT_EQ(answered(), "b=decided c=decided");
  EXPECT_EQ(unknown.outcome(), Outcome::kNoPolicy);
  EXPECT_EQ(unfit.outcome(), Outcome::kUnfit);

  EXPECT_TRUE(queue_->put(unknown.request));
  EXPECT_EQ(start(), nullptr);
  EXPECT_EQ(queue_->flights(), 1u);
  EXPECT_EQ(queue_->next_deadline_ns(), INT64_MAX);
}

TEST_F(StoreQueueTest, WhatWaitsTooLongComesBackUnsent) {
  put("a", 100);
  put("b", 50);
  put("c", 200);
  EXPECT_EQ(queue_->next_deadline_ns(), 50);
  queue_->expire(49);
  EXPECT_EQ(answered(), "");
  queue_->expire(100);
  EXPECT_EQ(answered(), "a=away b=away");
  EXPECT_FALSE(questions_[0].request.sent);
  EXPECT_EQ(queue_->waiting(), 1u);
  EXPECT_EQ(queue_->next_deadline_ns(), 200);
  EXPECT_EQ(names(start()), "c");
}

TEST_F(StoreQueueTest, WhatIsUnderWayTooLongComesBackAndIsNeverTouchedAgain) {
  put("a", 100);
  put("b", 50);
  put("c", 200);
  Flight* flight = start();
  EXPECT_EQ(queue_->next_deadline_ns(), 50);
  queue_->expire(120);
  EXPECT_EQ(answered(), "a=away b=away");
  EXPECT_TRUE(questions_[0].request.sent);
  EXPECT_EQ(names(flight), "--c");
  EXPECT_EQ(queue_->next_deadline_ns(), 200);

  // Their memory is used for something else by now.
  const std::string reply = admit_all(flight->batch, kNoon);
  for (size_t i = 0; i < 2; ++i) {
    questions_[i].operations[0] = {};
    questions_[i].operations[0].answer.limit = -5;
    questions_[i].request = {};
  }
  EXPECT_TRUE(queue_->settle(*flight, reply));
  EXPECT_EQ(answered(), "c=decided");
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(questions_[i].answer().limit, -5);
    EXPECT_EQ(questions_[i].request.result, StoreResult::kNone);
  }
  EXPECT_EQ(queue_->next_deadline_ns(), INT64_MAX);
}

TEST_F(StoreQueueTest, ALostBatchComesBackOnceAndFreesItsPlace) {
  put("a", 100);
  put("b");
  Flight* flight = start();
  put("c");
  queue_->expire(100);
  queue_->lose(*flight);
  EXPECT_EQ(answered(), "a=away b=away");
  EXPECT_EQ(queue_->flights(), 0u);
  EXPECT_EQ(queue_->waiting(), 1u);
  EXPECT_EQ(names(start()), "c");
}

TEST_F(StoreQueueTest, AReplyToAnotherCallIsALoss) {
  put("a");
  put("b");
  Flight* flight = start();
  EXPECT_FALSE(queue_->settle(*flight, "nonsense"));
  EXPECT_EQ(answered(), "a=away b=away");
  EXPECT_EQ(queue_->flights(), 0u);
}

TEST_F(StoreQueueTest, AllThatWaitsCanBeGivenUp) {
  put("a", 100);
  Flight* flight = start();
  put("b", 30);
  put("c");
  queue_->lose_waiting();
  EXPECT_EQ(answered(), "b=away c=away");
  EXPECT_EQ(queue_->waiting(), 0u);
  EXPECT_EQ(queue_->next_deadline_ns(), 100);
  EXPECT_TRUE(settle(flight));
  EXPECT_EQ(answered(), "a=decided");
}

TEST_F(StoreQueueTest, ARequestMayBeAskedAgain) {
  Question& again = put("a");
  queue_->lose(*start());
  EXPECT_EQ(answered(), "a=away");
  EXPECT_TRUE(queue_->put(again.request));
  EXPECT_FALSE(again.request.sent);
  EXPECT_EQ(again.request.result, StoreResult::kNone);
  EXPECT_TRUE(settle(start()));
  EXPECT_EQ(answered(), "a=decided");
}

TEST_F(StoreQueueTest, NewRulesAreForTheNextBatch) {
  put("a");
  Flight* old = start();
  policy("late", Algorithm::kGcra, {make_limit(5, 0, kSecond)});
  queue_->adopt(rules_);
  EXPECT_TRUE(queue_->put(question(Verb::kCheck, "late", "b").request));
  Flight* flight = start();
  EXPECT_EQ(names(flight), "b");
  EXPECT_TRUE(settle(old));
  EXPECT_TRUE(settle(flight));
  EXPECT_EQ(answered(), "a=decided b=decided");
}

}  // namespace
}  // namespace toll::engine
