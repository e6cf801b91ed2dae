#include "daemon/outage.h"

#include <algorithm>

namespace toll::daemon {
namespace {

using engine::OnOutage;
using engine::Outcome;
using engine::Source;
using engine::Verb;

bool is_decision(Verb verb) {
  return verb == Verb::kCheck || verb == Verb::kAcquire || verb == Verb::kThrottle;
}

// The tightest of the policy's limits speaks, as if nothing of it were used, or everything.
int64_t tightest(const engine::Policy& policy) {
  const auto least = std::min_element(
      policy.spec.limits.begin(), policy.spec.limits.end(),
      [](const engine::Limit& a, const engine::Limit& b) { return a.burst < b.burst; });
  return least == policy.spec.limits.end() ? 0 : least->burst;
}

}  // namespace

Source answer_without_store(engine::Operation& operation, const engine::Policy* policy,
                            int64_t retry_us) {
  const OnOutage on_outage = policy == nullptr ? OnOutage::kLocal : policy->spec.on_outage;
  operation.answer = {};
  if (operation.verb == Verb::kReset ||
      (on_outage != OnOutage::kLocal && !is_decision(operation.verb))) {
    operation.outcome = Outcome::kUnavailable;
    return Source::kClosed;
  }
  switch (on_outage) {
    case OnOutage::kLocal:
      return Source::kLocal;
    case OnOutage::kAllow:
      operation.outcome = Outcome::kAdmitted;
      operation.answer.limit = tightest(*policy);
      operation.answer.remaining = operation.answer.limit;
      return Source::kOpen;
    case OnOutage::kDeny:
      break;
  }
  operation.outcome = Outcome::kRefused;
  operation.answer.limit = tightest(*policy);
  operation.answer.retry_us = retry_us;
  return Source::kClosed;
}

OnOutage together(OnOutage a, OnOutage b) {
  if (a == OnOutage::kDeny || b == OnOutage::kDeny) return OnOutage::kDeny;
  return a == b ? a : OnOutage::kLocal;
}

}  // namespace toll::daemon
