#include "daemon/store.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <spdlog/spdlog.h>
#include <utility>

#include "daemon/costs.h"
#include "daemon/log_home.h"
#include "daemon/outage.h"
#include "daemon/speaker.h"
#include "daemon/store_directory.h"
#include "daemon/store_link.h"
#include "daemon/worker.h"
#include "engine/flaws.h"

namespace toll::daemon {
namespace {

using engine::BreakerState;
using engine::Operation;
using engine::Outcome;
using engine::Source;
using engine::StoreResult;
using engine::Verb;

// How long a refusal is believed. What frees units elsewhere is told within a fraction of a second,
// unless nobody can tell, or a gateway that is not ours writes the same keys.
constexpr int64_t kBelieveUs = 10'000'000;
constexpr int64_t kBelieveUnheardUs = 500'000;

// Of a worker's memory for keys, the part for remembered refusals.
constexpr size_t kRefusalsShare = 32;
constexpr size_t kRefusalsBytesMax = size_t{4} << 20;

// ... and for leases.
constexpr size_t kLeasesBytesMax = size_t{8} << 20;

constexpr size_t kDarkUsageBytesMax = size_t{16} << 20;

constexpr int64_t kRetryMinUs = 100'000;
constexpr int64_t kRetryMaxUs = 10'000'000;

bool gives_units_back(Verb verb) {
  return verb == Verb::kRefund || verb == Verb::kReset;
}

bool gives_back(Verb verb) {
  return gives_units_back(verb) || verb == Verb::kRelease;
}

// Tickets come back at any moment, so what is in flight is not remembered.
bool is_remembered(const Operation& operation) {
  return operation.verb == Verb::kCheck ||
         (operation.verb == Verb::kThrottle && operation.units > 0);
}

// CL.THROTTLE may bring another limit each time, and each is refused by itself.
engine::KeyHash memory_key(const Operation& operation) {
  engine::KeyHash key = operation.key;
  if (operation.verb != Verb::kThrottle) return key;
  const engine::Limit& limit = *operation.throttle;
  for (const int64_t figure : {limit.count, limit.burst, limit.window_us}) {
    key.rest = std::rotl(key.rest, 23) * 0x9e3779b97f4a7c15 + static_cast<uint64_t>(figure);
  }
  return key;
}

// Of a check of several limits; the order counts.
engine::KeyHash key_of(std::span<const Operation> operations) {
  engine::KeyHash key{.rest = operations.size(), .tag = 0, .home = 0};
  for (const Operation& each : operations) {
    key.rest = std::rotl(key.rest, 23) * 0x9e3779b97f4a7c15 + each.key.rest;
    key.rest = std::rotl(key.rest, 23) * 0x9e3779b97f4a7c15 + static_cast<uint64_t>(each.units);
    key.tag = std::rotl(key.tag, 13) * 0x85ebca6b + each.key.tag;
    key.home = std::rotl(key.home, 13) * 0x85ebca6b + each.key.home;
  }
  return key;
}

net::RedisLinkSettings lane_settings(const config::RedisSettings& settings,
                                     const net::RedisAddress& address, uint32_t worker) {
  net::RedisLinkSettings link =
      link_settings(settings, address, "tollkeeper-" + std::to_string(worker));
  link.database = settings.database;
  link.scripts = store_scripts();
  return link;
}

}  // namespace

Store::Store(Worker& worker, const config::RedisSettings& settings, uint64_t seed)
    : worker_(worker),
      settings_(settings),
      breaker_(settings.breaker, seed),
      refusals_(std::min(
          worker.process().server.memory_bytes / worker.process().workers_count / kRefusalsShare,
          kRefusalsBytesMax)),
      dark_({.bytes_max = kDarkUsageBytesMax}),
      leases_(*this, std::min(worker.process().server.memory_bytes /
                                  worker.process().workers_count / kRefusalsShare,
                              kLeasesBytesMax)) {
  for (uint32_t i = 0; i < settings.links; ++i) {
    lanes_.push_back(std::make_unique<StoreLane>(
        *this, worker.loop(), worker.chunks(),
        lane_settings(settings, worker.process().redis_address, worker.index()), seed + i + 1));
  }
  pulse_ = std::make_unique<StorePulse>(*this, lanes_.front()->link(), worker.process().node,
                                        settings.prefix, settings.health_interval_us * 1'000);
}

Store::~Store() = default;

void Store::start() {
  for (const auto& lane : lanes_) lane->link().start(worker_.turn_ns());
}

void Store::stop(int64_t now_ns) {
  stopping_ = true;
  take_collected();
  leases_.give_all_back();
  pump_all();
  net::RedisLink& link = lanes_.front()->link();
  if (!link.ready()) return cut();
  // Every worker does, so that the last word is not another's heartbeat.
  pulse_->leave(now_ns);
  link.flush();
}

void Store::cut() {
  for (const auto& lane : lanes_) lane->link().stop();
}

bool Store::stopped() const {
  return std::all_of(lanes_.begin(), lanes_.end(),
                     [](const auto& lane) { return lane->link().stopped(); });
}

void Store::adopt(std::shared_ptr<const engine::PolicyTable> table) {
  take_collected();
  // What is given back under the old rules is sent by them.
  leases_.adopt(*table);
  if (rules_ != nullptr) {
    pump_all();
  }
  rules_ = std::make_shared<engine::StoreRules>(std::move(table), settings_.prefix);
  for (const auto& lane : lanes_) lane->adopt(rules_);
  forget_all();
  // A change of limits here may be one for the fleet: the counts in Redis are everyone's.
  if (worker_.index() == 0) news_.tell_all();
}

void Store::pump_all() {
  for (const auto& lane : lanes_) {
    lane->hurry();
    lane->pump();
  }
}

void Store::set_address(const net::RedisAddress& address) {
  for (const auto& lane : lanes_) lane->link().set_address(address);
}

void Store::set_password(const std::string& password) {
  for (const auto& lane : lanes_) lane->link().set_password(password);
}

// ---- questions ----

size_t Store::lane_of(const engine::KeyHash& key) const {
  return lanes_.size() == 1 ? 0 : key.tag % lanes_.size();
}

bool Store::put(engine::StoreRequest& request, const engine::KeyHash& key, int64_t leave_ns) {
  if (lanes_[lane_of(key)]->put(request, leave_ns)) return true;
  counters().store_full.add();
  return false;
}

void Store::ask_exactly(Ask& ask) {
  Operation& operation = ask.operation;
  if (is_remembered(operation)) {
    if (const auto refusal = refusals_.recall(memory_key(operation), operation.units, now())) {
      operation.outcome = Outcome::kRefused;
      operation.answer = *refusal;
      ask.source = Source::kCache;
      return worker_.answer(ask);
    }
  } else if (gives_units_back(operation.verb)) {
    refusals_.forget(operation.key);
    news_.happened(operation.key);
    if (operation.verb == Verb::kReset) leases_.drop(operation);
  }
  ask.store.sent = false;
  ask.store.operations = &operation;
  ask.store.ids = &ask.id;
  ask.store.count = 1;
  ask.store.owner = static_cast<Letter*>(&ask);
  if (!put(ask.store, operation.key)) answer_without_store(ask);
}

void Store::ask(Together& together) {
  take_collected();
  together.store.sent = false;
  together.store.operations = together.operations.data();
  together.store.ids = together.ids.data();
  together.store.count = together.operation_count;
  together.store.owner = static_cast<Letter*>(&together.whole);
  if (recall(together)) return worker_.answer(together);
  if (put(together.store, together.operations[0].key)) return;
  together.store.result = StoreResult::kAway;
  worker_.answer(together);
}

void Store::pump() {
  watch_breaker();
  take_collected();
  if (leases_.next_age() <= now()) {
    leases_.age();
    flight_over();
  }
  counters().lease_units_held.set(static_cast<uint64_t>(leases_.units_held()));
  if (stopping_) {
    if (lanes_.front()->link().calls_out() == 0) cut();
  } else {
    repay();
    if (lanes_.front()->link().ready()) pulse_->beat(news_, turn_ns());
  }
  for (const auto& lane : lanes_) lane->pump();
  watch_breaker();
}

int64_t Store::next_due_ns() const {
  if (collected_count_ > 0) return 0;
  int64_t due_ns = INT64_MAX;
  for (const auto& lane : lanes_) due_ns = std::min(due_ns, lane->next_due_ns());
  if (lanes_.front()->link().ready()) due_ns = std::min(due_ns, pulse_->next_due_ns(news_));
  if (leases_.next_age() != INT64_MAX) due_ns = std::min(due_ns, leases_.next_age() * 1'000);
  return due_ns;
}

// ---- answers ----

void Store::returned(engine::StoreRequest& request, const StoreFlightInfo& flight) {
  Letter& owner = *static_cast<Letter*>(request.owner);
  switch (owner.kind) {
    case LetterKind::kAsk:
      return returned(static_cast<Ask&>(owner), flight);
    case LetterKind::kWhole:
      return returned(*static_cast<Part&>(owner).together, flight);
    case LetterKind::kRepayment:
      return;
    case LetterKind::kLease:
      return leases_.returned(request, flight);
    default:
      assert(false);
  }
}

void Store::returned(Ask& ask, const StoreFlightInfo& flight) {
  if (ask.store.result != StoreResult::kDecided) {
    Counter& counter = ask.store.result == StoreResult::kPoisoned ? counters().store_poisoned
                                                                  : counters().store_away;
    counter.add();
    return answer_without_store(ask);
  }
  ask.source = Source::kRedis;
  leases_.decided(ask.operation);
  learn(ask.operation, ask.id, flight);
  note(ask.operation);
  worker_.answer(ask);
}

void Store::returned(Together& together, const StoreFlightInfo& flight) {
  if (together.store.result == StoreResult::kDecided) {
    together.source = Source::kRedis;
    learn(together, flight);
  } else {
    counters().store_away.add();
  }
  worker_.answer(together);
}

// A refused check of several limits is remembered with the one that speaks for it: under a hash of
// all its keys and units, and, so that it is forgotten with that key, under the key itself.
void Store::learn(const Together& together, const StoreFlightInfo& flight) {
  const auto operations = std::span(together.operations).first(together.operation_count);
  const bool refused = std::any_of(operations.begin(), operations.end(), [](const Operation& op) {
    return op.outcome == Outcome::kRefused;
  });
  if (!refused) return;
  const size_t speaker = speaker_of(operations, false);
  const Operation& operation = operations[speaker];
  if (operation.outcome != Outcome::kRefused) return;
  // Only the owner of a key hears when it is given units back.
  if (operation.key.owner(worker_.process().workers_count) != worker_.index()) return;
  learn(operation, together.ids[speaker], flight);
  Operation whole = operation;
  whole.key = key_of(operations);
  whole.units = static_cast<int64_t>(speaker) + 1;
  learn(whole, together.ids[speaker], flight);
}

bool Store::recall(Together& together) {
  const auto operations = std::span(together.operations).first(together.operation_count);
  const engine::KeyHash key = key_of(operations);
  for (size_t i = 0; i < operations.size(); ++i) {
    const auto refusal = refusals_.recall(key, static_cast<int64_t>(i) + 1, now());
    if (!refusal || !refusals_.recall(operations[i].key, operations[i].units, now())) continue;
    for (Operation& each : operations) each.outcome = Outcome::kAdmitted;
    operations[i].outcome = Outcome::kRefused;
    operations[i].answer = *refusal;
    together.source = Source::kCache;
    together.store.result = StoreResult::kDecided;
    return true;
  }
  return false;
}

void Store::flight_over() {
  worker_.decide_for_store(notes_);
  notes_.clear();
}

void Store::units_came_back(const Operation& operation, std::string_view id) {
  refusals_.forget(operation.key);
  news_.happened(operation.key);
  const engine::Policy* policy = rules_->table().find(operation.policy);
  if (policy != nullptr) news_.tell(policy->spec.name, id);
}

// What the answer means for later questions on that key.
void Store::learn(const Operation& operation, std::string_view id, const StoreFlightInfo& flight) {
  if (gives_units_back(operation.verb)) {
    if (operation.verb == Verb::kReset) leases_.drop(operation);
    return units_came_back(operation, id);
  }
  if (!is_remembered(operation) || operation.outcome != Outcome::kRefused) return;
  if (flight.sent == 0 || !news_.still_holds(operation.key, flight.news)) return;
  const engine::Policy* policy = rules_->table().find(operation.policy);
  const bool ours = policy == nullptr || policy->spec.key_template.empty();
  const bool alone = ours && hears_news_;
  refusals_.note(memory_key(operation), operation.units, operation.answer, flight.sent, now(),
                 alone ? kBelieveUs : kBelieveUnheardUs);
}

// The shard's own count goes along, so that it is warm when the store goes away.
void Store::note(const Operation& operation) {
  if (operation.outcome != Outcome::kAdmitted && operation.outcome != Outcome::kDone) return;
  const bool looks =
      operation.verb == Verb::kPeek || (operation.verb == Verb::kThrottle && operation.units == 0);
  if (looks) return;
  notes_.push_back(operation);
  Verb& verb = notes_.back().verb;
  if (!gives_back(verb)) verb = Verb::kNote;
}

void Store::answer_without_store(Ask& ask) {
  const engine::Policy* policy = rules_->table().find(ask.operation.policy);
  ask.source = daemon::answer_without_store(ask.operation, policy, retry_us());
  const bool here = ask.source == Source::kLocal;
  if (here && engine::flawed(engine::Flaw::kClaimsRedis)) ask.source = Source::kRedis;
  if (here) return worker_.decide_here(ask);
  worker_.answer(ask);
}

int64_t Store::retry_us() {
  const int64_t wait_us = breaker_.retry_at() - now();
  return std::clamp(wait_us, kRetryMinUs, kRetryMaxUs);
}

// ---- news ----

void Store::forget(uint16_t policy, std::string_view id) {
  const engine::KeyHash key = worker_.process().hasher(policy, id);
  if (key.owner(worker_.process().workers_count) != worker_.index()) return;
  refusals_.forget(key);
  news_.happened(key);
}

void Store::forget_all() {
  refusals_.forget_all();
  news_.happened_to_all();
}

// ---- the state of the link ----

void Store::on_lane_ready(StoreLane& lane) {
  const net::RedisServer& server = lane.link().server();
  // It has just answered a greeting, so it is worth a probe.
  breaker_.invite(now());
  if (&lane != lanes_.front().get()) return;
  if (Costs* costs = worker_.costs()) costs->link_ready();
  if (LogHome* logs = worker_.log_home()) logs->link_ready();
  worker_.process().counters[worker_.index()]->store_ready.set(1);
  if (worker_.index() != 0) return;
  spdlog::info("redis is there: {} (version {}.{})", settings_.url, server.major, server.minor);
  if (server.maxmemory_policy.starts_with("allkeys-")) {
    spdlog::warn(
        "redis evicts any key when it is full (maxmemory-policy {}): limits may be forgotten; "
        "set noeviction or volatile-ttl",
        server.maxmemory_policy);
  }
}

void Store::on_lane_away(StoreLane& lane, std::string_view reason, bool refused) {
  pulse_->lost();
  worker_.process().directory->troubled();
  if (&lane != lanes_.front().get()) return;
  if (Costs* costs = worker_.costs()) costs->link_away();
  if (LogHome* logs = worker_.log_home()) logs->link_away();
  const bool was_ready = counters().store_ready.get() != 0;
  counters().store_ready.set(0);
  if (worker_.index() != 0) return;
  if (was_ready || refused || !said_away_) spdlog::warn("redis is away: {}", reason);
  said_away_ = true;
}

// A Redis that is full, read-only or loading answers a PING well, but not this.
void Store::on_pulse(int64_t hosts) {
  breaker_.invite(now());
  // A probe as good as any other; on a quiet host there is no other for long.
  if (breaker_.state() != BreakerState::kClosed && breaker_.allow(now())) {
    breaker_.report(engine::Breaker::Call::kDone, 0, now());
  }
  if (worker_.index() != 0 || hosts < 1 || hosts == worker_.process().hosts.load()) return;
  worker_.process().hosts.store(hosts);
  const auto share = static_cast<uint32_t>(std::min<int64_t>(hosts, UINT32_MAX));
  worker_.for_all_workers([share](Worker& worker) { worker.share_with(share); });
}

void Store::on_pulse_failed(std::string_view error) {
  const net::RedisErrorKind kind = net::error_kind(error);
  counters().store_calls.errors[static_cast<size_t>(kind)].add();
  if (kind == net::RedisErrorKind::kNoScript) {
    lanes_.front()->link().load_scripts(turn_ns());
    return;
  }
  breaker_.trip(now());
}

void Store::watch_breaker() {
  const BreakerState state = breaker_.state();
  if (state == breaker_seen_) return;
  breaker_seen_ = state;
  counters().breaker_trips.set(breaker_.trips());
  const auto all = worker_.process().breakers.post(worker_.index(), state);
  if (!all) return;
  const std::string_view cause = *all == BreakerState::kOpen ? breaker_.cause() : "";
  spdlog::warn("breaker of redis: {}{}{}", to_string(*all), cause.empty() ? "" : ", ", cause);
  const engine::TimeUs told_at = worker_.now();
  if (Happening* told = worker_.happenings().note(HappeningKind::kBreaker, told_at)) {
    told->what = to_string(*all);
    told->reason.set(cause);
  }
}

WorkerCounters& Store::counters() {
  return worker_.counters();
}
// Steady, unlike the clock of limits, which may be worked back: how long a refusal holds and a
// breaker waits is no matter of what time of day it is.
engine::TimeUs Store::now() {
  return turn_ns() / 1'000;
}
int64_t Store::turn_ns() {
  return worker_.turn_ns();
}

}  // namespace toll::daemon
