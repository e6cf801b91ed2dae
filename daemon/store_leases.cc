#include "daemon/store_leases.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "engine/flaws.h"

namespace toll::daemon {
namespace {

using engine::Operation;
using engine::Outcome;
using engine::StoreResult;
using engine::Verb;

// Slices asked for or given back at a time. Past it requests are the store's own, and what cannot
// be given back is forgotten there as if it had been used.
constexpr size_t kCallsMax = 8'192;

// What nobody waits for waits so long for others to go along: a call of Redis for each by itself
// would cost several times what is in it.
// More than engine/leases.cc asks ahead for would have requests wait.
constexpr int64_t kTogetherParts = 128;  // of the slice's life
constexpr int64_t kReturnsTogetherNs = 2'000'000;
constexpr int64_t kAgeLateUs = 2'000;

}  // namespace

void StoreLeases::prefetch(std::span<Ask* const> asks) const {
  for (const Ask* ask : asks) leases_.prefetch_tags(ask->operation.key);
  for (const Ask* ask : asks) leases_.prefetch_entry(ask->operation.key);
}

StoreLeases::Taken StoreLeases::take(Ask& ask, bool may_ask) {
  assert(leases(ask.operation));
  Operation& operation = ask.operation;
  // Still free when it is asked for: only to make room for a new key is another begun meanwhile,
  // and of a new key nothing is asked for yet.
  Call* call = may_ask ? free_call() : nullptr;
  const uint32_t number = call == nullptr ? 0 : call->number;
  const engine::Leases::Taken taken = leases_.take(operation, ask.id, owner_.now(), number);
  if (taken.on_its_way) {
    wait(*calls_[taken.call], ask);
    return Taken::kWaits;
  }
  if (taken.ask_for > 0) {
    const bool waits = !taken.from_slice;
    if (call != nullptr && ask_for(*call, ask, taken)) {
      if (!waits) return Taken::kFromSlice;
      wait(*call, ask);
      return Taken::kWaits;
    }
    leases_.not_granted(operation.key, taken.serial, std::nullopt);
  }
  return taken.from_slice ? Taken::kFromSlice : Taken::kNo;
}

bool StoreLeases::ask_for(Call& call, const Ask& ask, const engine::Leases::Taken& taken) {
  begin(call, ask.operation.key, ask.operation.policy, ask.id);
  call.operation.verb = Verb::kLease;
  call.operation.units = taken.ask_for;
  call.operation.lease_us = taken.life_us;
  call.serial = taken.serial;
  // Whoever comes to wait for it has more time.
  call.store.deadline_ns = ask.store.deadline_ns;
  const int64_t wait_ns = taken.from_slice ? taken.life_us * 1'000 / kTogetherParts : 0;
  if (!send(call, wait_ns)) return false;
  owner_.counters().leases_asked.add();
  return true;
}

void StoreLeases::wait(Call& call, Ask& ask) {
  if (call.first == nullptr) owner_.hurry(call.operation.key);
  ask.store.owner = static_cast<Letter*>(&ask);
  ask.store.next = nullptr;
  (call.first == nullptr ? call.first : call.last->next) = &ask.store;
  call.last = &ask.store;
}

void StoreLeases::decided(const Operation& operation) {
  if (leases(operation)) leases_.decided(operation);
}

void StoreLeases::drop(const Operation& operation) {
  if (leases_.leases(operation.policy)) leases_.drop(operation.key);
}

engine::TimeUs StoreLeases::next_age() const {
  const engine::TimeUs end = leases_.next_end();
  return end == INT64_MAX ? end : end + kAgeLateUs;
}

// ---- calls ----

StoreLeases::Call* StoreLeases::free_call() {
  if (free_ == nullptr && calls_.size() < kCallsMax) {
    calls_.push_back(std::make_unique<Call>());
    calls_.back()->number = static_cast<uint32_t>(calls_.size() - 1);
    free(*calls_.back());
  }
  return free_;
}

void StoreLeases::begin(Call& call, const engine::KeyHash& key, uint16_t policy,
                        std::string_view id) {
  assert(&call == free_ && id.size() <= call.bytes.size());
  free_ = call.next;
  std::memcpy(call.bytes.data(), id.data(), id.size());
  call.id = {call.bytes.data(), id.size()};
  call.operation = Operation();
  call.operation.key = key;
  call.operation.policy = policy;
  call.store.operations = &call.operation;
  call.store.ids = &call.id;
  call.store.count = 1;
  call.store.deadline_ns = INT64_MAX;
  call.store.owner = static_cast<Letter*>(&call);
  call.first = call.last = nullptr;
}

bool StoreLeases::send(Call& call, int64_t wait_ns) {
  const int64_t leave_ns = wait_ns == 0 ? 0 : owner_.now() * 1'000 + wait_ns;
  if (owner_.put_lease(call.store, call.operation.key, leave_ns)) return true;
  free(call);
  return false;
}

void StoreLeases::free(Call& call) {
  call.next = free_;
  free_ = &call;
}

void StoreLeases::returned(engine::StoreRequest& request, const StoreFlightInfo& flight) {
  Call& call = *static_cast<Call*>(static_cast<Letter*>(request.owner));
  const bool known = call.store.result == StoreResult::kDecided;
  if (call.operation.verb == Verb::kLease) {
    answered(call, flight);
  } else if (known && call.scarce) {
    owner_.units_came_back(call.operation, call.id);
  }
  const bool sent = call.store.sent;
  engine::StoreRequest* next = call.first;
  free(call);
  while (next != nullptr) {
    Ask& ask = *static_cast<Ask*>(static_cast<Letter*>(next->owner));
    next = next->next;
    if (!known) {
      ask.store.sent = sent;
      owner_.answer_without_slice(ask);
    } else if (leases_.use(ask.operation, owner_.now())) {
      owner_.answered_from_slice(ask);
    } else {
      owner_.ask_exactly(ask);
    }
  }
}

void StoreLeases::answered(Call& call, const StoreFlightInfo& flight) {
  Operation& operation = call.operation;
  const engine::TimeUs now = owner_.now();
  if (call.store.result != StoreResult::kDecided) {
    if (!engine::flawed(engine::Flaw::kTrustsLostLease)) {
      return leases_.not_granted(operation.key, call.serial, std::nullopt);
    }
    operation.granted = operation.units;
    operation.answer.retry_us = operation.lease_us;
  } else if (operation.outcome != Outcome::kAdmitted) {
    const bool told = operation.outcome == Outcome::kRefused;
    return leases_.not_granted(operation.key, call.serial, told ? operation.answer.remaining : 0);
  }
  owner_.counters().lease_units.add(static_cast<uint64_t>(operation.granted));
  leases_.grant(operation.key,
                {.units = operation.granted,
                 .sent = flight.sent == 0 ? now : flight.sent,
                 .life_us = operation.answer.retry_us,
                 .until = operation.lease_us,
                 .serial = call.serial},
                operation.answer, now);
}

void StoreLeases::give_back(const engine::Leases::Return& what) {
  WorkerCounters& counters = owner_.counters();
  Call* call = free_call();
  if (call != nullptr) {
    begin(*call, what.key, what.policy, what.id);
    call->operation.verb = Verb::kReturn;
    call->operation.units = what.units;
    call->operation.lease_us = what.until;
    call->operation.revision = what.revision;
    call->scarce = what.scarce;
    if (send(*call, what.scarce ? 0 : kReturnsTogetherNs))
      return counters.lease_units_returned.add(static_cast<uint64_t>(what.units));
  }
  counters.lease_units_lost.add(static_cast<uint64_t>(what.units));
}

void StoreLeases::lapsed(int64_t units) {
  owner_.counters().lease_units_lapsed.add(static_cast<uint64_t>(units));
}

void StoreLeases::used(const engine::KeyHash& key, uint16_t policy, int64_t units) {
  Operation operation;
  operation.key = key;
  operation.policy = policy;
  operation.verb = Verb::kNote;
  operation.units = std::min(units, engine::kUnitsMax);
  owner_.note_used(operation);
}

}  // namespace toll::daemon
