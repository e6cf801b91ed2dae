#include "daemon/outage.h"

#include <gtest/gtest.h>

#include "daemon/breaker_board.h"
#include "daemon/speaker.h"

namespace toll::daemon {
namespace {

using engine::BreakerState;
using engine::OnOutage;
using engine::Operation;
using engine::Outcome;
using engine::Source;
using engine::Verb;

engine::Policy policy(OnOutage on_outage) {
  engine::Policy made;
  made.spec.on_outage = on_outage;
  made.spec.limits = {engine::make_limit(100, 0, 1'000'000), engine::make_limit(50, 0, 60'000'000)};
  return made;
}

Operation operation(Verb verb) {
  Operation made;
  made.verb = verb;
  return made;
}

TEST(Outage, AllowLetsThroughAndSaysThatNobodyCounted) {
  const engine::Policy allowing = policy(OnOutage::kAllow);
  Operation check = operation(Verb::kCheck);
  EXPECT_EQ(answer_without_store(check, &allowing, 7), Source::kOpen);
  EXPECT_EQ(check.outcome, Outcome::kAdmitted);
  EXPECT_EQ(check.answer.limit, 50);
  EXPECT_EQ(check.answer.retry_us, 0);
}

TEST(Outage, DenyRefusesWithAWait) {
  const engine::Policy denying = policy(OnOutage::kDeny);
  Operation check = operation(Verb::kCheck);
  EXPECT_EQ(answer_without_store(check, &denying, 7), Source::kClosed);
  EXPECT_EQ(check.outcome, Outcome::kRefused);
  EXPECT_EQ(check.answer.remaining, 0);
  EXPECT_EQ(check.answer.retry_us, 7);
}

TEST(Outage, TheShardAnswersWherePolicyAndVerbAllow) {
  const engine::Policy local = policy(OnOutage::kLocal);
  for (const Verb verb :
       {Verb::kCheck, Verb::kPeek, Verb::kCharge, Verb::kRefund, Verb::kAcquire, Verb::kRelease}) {
    Operation any = operation(verb);
    EXPECT_EQ(answer_without_store(any, &local, 7), Source::kLocal);
  }
  Operation throttle = operation(Verb::kThrottle);
  EXPECT_EQ(answer_without_store(throttle, nullptr, 7), Source::kLocal);
}

TEST(Outage, WhatOnlyTheStoreCanDoIsNotPretended) {
  const engine::Policy local = policy(OnOutage::kLocal);
  Operation reset = operation(Verb::kReset);
  answer_without_store(reset, &local, 7);
  EXPECT_EQ(reset.outcome, Outcome::kUnavailable);
  for (const OnOutage on_outage : {OnOutage::kAllow, OnOutage::kDeny}) {
    const engine::Policy one = policy(on_outage);
    for (const Verb verb : {Verb::kPeek, Verb::kCharge, Verb::kRefund, Verb::kRelease}) {
      Operation any = operation(verb);
      answer_without_store(any, &one, 7);
      EXPECT_EQ(any.outcome, Outcome::kUnavailable);
    }
  }
}

TEST(Outage, OneThatDeniesDeniesAll) {
  EXPECT_EQ(together(OnOutage::kAllow, OnOutage::kDeny), OnOutage::kDeny);
  EXPECT_EQ(together(OnOutage::kDeny, OnOutage::kLocal), OnOutage::kDeny);
  EXPECT_EQ(together(OnOutage::kAllow, OnOutage::kLocal), OnOutage::kLocal);
  EXPECT_EQ(together(OnOutage::kAllow, OnOutage::kAllow), OnOutage::kAllow);
}

TEST(Speaker, IsTheOneToBeWaitedForLongestOrWithTheLeastRemaining) {
  std::array<Operation, 3> three;
  for (Operation& each : three) each.outcome = Outcome::kAdmitted;
  three[0].answer.remaining = 5;
  three[1].answer.remaining = 2;
  three[2].answer.remaining = 2;
  EXPECT_EQ(speaker_of(three, true), 1u);
  three[0].outcome = three[2].outcome = Outcome::kRefused;
  three[0].answer.retry_us = 10;
  three[2].answer.retry_us = engine::kNever;
  EXPECT_EQ(speaker_of(three, false), 2u);
  three[1].outcome = Outcome::kFull;
  EXPECT_EQ(speaker_of(three, false), 1u);
}

TEST(BreakerBoard, TellsATransitionOfAllTogetherOnce) {
  BreakerBoard board(2);
  EXPECT_EQ(board.post(0, BreakerState::kOpen), BreakerState::kOpen);
  EXPECT_EQ(board.post(1, BreakerState::kOpen), std::nullopt);
  EXPECT_EQ(board.post(0, BreakerState::kHalfOpen), std::nullopt);
  EXPECT_EQ(board.post(0, BreakerState::kClosed), std::nullopt);
  EXPECT_EQ(board.post(1, BreakerState::kHalfOpen), BreakerState::kHalfOpen);
  EXPECT_EQ(board.post(1, BreakerState::kClosed), BreakerState::kClosed);
}

}  // namespace
}  // namespace toll::daemon
