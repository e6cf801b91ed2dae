// What was used while the store was away, and is charged to it later.
#include <algorithm>
#include <cassert>
#include <cstring>

#include "daemon/store.h"
#include "daemon/worker.h"

namespace toll::daemon {
namespace {

using engine::BreakerState;
using engine::Operation;
using engine::Outcome;
using engine::Verb;

constexpr size_t kRepaymentsMax = 16;  // under way at a time, so that live traffic comes first

}  // namespace

// Only what the store cannot have heard of: a call that was lost may have been counted.
void Store::decided_here(const Ask& ask) {
  if (ask.store.sent) return;
  note_dark(ask.operation, ask.id);
}

void Store::note_dark(const Operation& operation, std::string_view id) {
  const bool used = operation.outcome == Outcome::kAdmitted ||
                    (operation.outcome == Outcome::kDone && operation.verb == Verb::kCharge);
  if (!used || (operation.verb != Verb::kCheck && operation.verb != Verb::kCharge)) return;
  const engine::Policy* policy = rules_->table().find(operation.policy);
  if (policy == nullptr || !engine::outlasts_outages(policy->spec)) return;
  dark_.note(operation.policy, id, operation.units);
}

// Yields to live traffic: a few at a time, and only when nothing else is on its way.
void Store::repay() {
  if (dark_.size() == 0 || breaker_.state() != BreakerState::kClosed) return;
  const bool idle = std::all_of(lanes_.begin(), lanes_.end(), [](const auto& lane) {
    return lane->link().ready() && lane->idle();
  });
  if (!idle) return;
  if (repayments_.empty()) {
    for (size_t i = 0; i < kRepaymentsMax; ++i) {
      repayments_.push_back(std::make_unique<Repayment>());
    }
  }
  size_t next = 0;
  dark_.take(kRepaymentsMax, [&](uint16_t policy, std::string_view id, int64_t units) {
    Repayment& repayment = *repayments_[next];
    ++next;
    std::memcpy(repayment.bytes.data(), id.data(), id.size());
    repayment.id = {repayment.bytes.data(), id.size()};
    repayment.operation = Operation{};
    repayment.operation.verb = Verb::kRepay;
    repayment.operation.policy = policy;
    repayment.operation.units = units;
    repayment.operation.key = worker_.process().hasher(policy, id);
    repayment.store.operations = &repayment.operation;
    repayment.store.ids = &repayment.id;
    repayment.store.count = 1;
    repayment.store.deadline_ns = INT64_MAX;
    repayment.store.owner = static_cast<Letter*>(&repayment);
    counters().store_repaid.add();
    [[maybe_unused]] const bool taken = put(repayment.store, repayment.operation.key);
    assert(taken);  // nothing else waits
  });
}

}  // namespace toll::daemon
