// The limits table of the protocol: from words to questions for a shard.

#include <algorithm>
#include <array>
#include <cassert>
#include <optional>
#include <span>
#include <string_view>

#include "daemon/error_text.h"
#include "daemon/numbers.h"
#include "daemon/session.h"
#include "daemon/worker.h"

namespace toll::daemon {
namespace {

using engine::Policy;
using engine::Verb;

// What CL.THROTTLE may take, which has no policy to say so.
constexpr int64_t kThrottleDeadlineUs = 50'000;

constexpr std::string_view kUnitsExpected = "units must be a whole number from 1 to 2147483647";
constexpr std::string_view kTtlExpected =
    "the ttl must be milliseconds, or a duration such as 30s or 2m, from 1ms to 366d";

// The units of a request: its word at `index`, or 1 if it ends before.
std::optional<int64_t> units_at(Request words, size_t index) {
  int64_t units = 1;
  if (index < words.size() && !parse_units(words[index], units)) return std::nullopt;
  return units;
}

// A ticket's time to live: the word at `index`, or 0, the policy's.
std::optional<int64_t> ttl_us_at(Request words, size_t index) {
  int64_t ttl_us = 0;
  if (index < words.size() && !parse_ttl(words[index], ttl_us)) return std::nullopt;
  return ttl_us;
}

std::optional<int64_t> integer(std::string_view word, int64_t least, int64_t most) {
  int64_t value = 0;
  if (!parse_integer(word, least, most, value)) return std::nullopt;
  return value;
}

// May it be refused, or is it an administrator's?
bool is_told_of(Verb verb) {
  return verb == Verb::kCheck || verb == Verb::kAcquire || verb == Verb::kThrottle ||
         verb == Verb::kReset;
}

bool is_concurrency(const Policy& policy) {
  return policy.spec.algorithm == engine::Algorithm::kConcurrency;
}

}  // namespace

const Policy* Session::find_policy(Framing framing, std::string_view name, bool concurrency) {
  const Policy* policy = worker_.policies().find(name);
  if (policy == nullptr) {
    refuse(framing, ErrorCode::kNoPolicy,
           ErrorText("no policy ").quote(name).add("; POLICIES lists them"));
    return nullptr;
  }
  if (is_concurrency(*policy) == concurrency) return policy;
  refuse(framing, ErrorCode::kBadRequest,
         concurrency ? ErrorText("policy ").quote(name).add(
                           " counts requests, not what is in flight; use CHECK")
                     : ErrorText("policy ").quote(name).add(
                           " is a concurrency policy; use ACQUIRE and RELEASE"));
  return nullptr;
}

bool Session::id_ok(Framing framing, std::string_view id) {
  if (!id.empty() && id.size() <= engine::kIdMax) return true;
  refuse(framing, ErrorCode::kBadRequest,
         id.empty() ? "the id is empty" : "the id is longer than 512 bytes");
  return false;
}

void Session::send(Ask* ask, Verb verb, const Policy* policy, std::string_view id) {
  const uint16_t number = policy == nullptr ? engine::kThrottlePolicy : policy->id;
  ask->operation.verb = verb;
  ask->operation.policy = number;
  ask->operation.key = worker_.process().hasher(number, id);
  if (worker_.by_store(policy)) {
    worker_.send_by_store(*ask, id,
                          policy == nullptr ? kThrottleDeadlineUs : policy->spec.deadline_us);
  } else if (worker_.happenings().wants(HappeningKind::kRefusal) && is_told_of(verb)) {
    worker_.keep_id(*ask, id);
  }
  worker_.ask(ask);
}

void Session::ask_check(Framing framing, Request words) {
  if (words.size() > 4) return ask_together(framing, words);
  const Policy* policy = find_policy(framing, words[1], false);
  if (policy == nullptr || !id_ok(framing, words[2])) return;
  const std::optional<int64_t> units = units_at(words, 3);
  if (!units) return refuse(framing, ErrorCode::kBadRequest, kUnitsExpected);
  Ask* ask = add_ask(framing, Form::kDecision);
  ask->operation.units = *units;
  send(ask, Verb::kCheck, policy, words[2]);
}

void Session::ask_together(Framing framing, Request words) {
  const Request terms = words.subspan(1);
  std::array<const Policy*, kChecksMax> policies{};
  std::array<int64_t, kChecksMax> amounts{};
  const size_t count = terms.size() / 3;
  assert(count <= kChecksMax);
  for (size_t i = 0; i < count; ++i) {
    policies[i] = find_policy(framing, terms[i * 3], false);
    if (policies[i] == nullptr || !id_ok(framing, terms[i * 3 + 1])) return;
    if (!parse_units(terms[i * 3 + 2], amounts[i])) {
      return refuse(framing, ErrorCode::kBadRequest, kUnitsExpected);
    }
  }
  if (!worker_.has_together()) {
    return refuse(framing, ErrorCode::kBusy, "too many checks of several limits under way");
  }
  const bool by_store = worker_.by_store(policies[0]);
  for (size_t i = 1; i < count; ++i) {
    if (worker_.by_store(policies[i]) == by_store) continue;
    return refuse(framing, ErrorCode::kBadRequest,
                  "policies of mode local and of other modes cannot be checked together");
  }
  // By the owner of one key it goes past requests on the others, which must not be overtaken.
  if (by_store && !of_one_lane(policies, terms)) {
    if (!replies_written()) return defer(framing, words);
    alone_ = true;
  }
  Ask* ask = add_ask(framing, Form::kTogether);
  Together* together = worker_.new_together(ask);
  together->operation_count = static_cast<uint8_t>(count);
  together->keeps_ids = by_store || worker_.happenings().wants(HappeningKind::kRefusal);
  int64_t deadline_us = INT64_MAX;
  for (size_t i = 0; i < count; ++i) {
    deadline_us = std::min(deadline_us, policies[i]->spec.deadline_us);
    if (together->keeps_ids) together->keep_id(i, terms[i * 3 + 1]);
    engine::Operation& operation = together->operations[i];
    operation = engine::Operation{};
    operation.verb = Verb::kCheck;
    operation.policy = policies[i]->id;
    operation.units = amounts[i];
    operation.key = worker_.process().hasher(policies[i]->id, terms[i * 3 + 1]);
  }
  if (by_store) return worker_.ask_store(together, deadline_us);
  worker_.ask(together);
}

bool Session::of_one_lane(std::span<const Policy* const> policies, Request terms) {
  const auto key = [&](size_t i) {
    return worker_.process().hasher(policies[i]->id, terms[i * 3 + 1]);
  };
  for (size_t i = 1; i < terms.size() / 3; ++i) {
    if (!worker_.same_lane(key(0), key(i))) return false;
  }
  return true;
}

void Session::ask_peek(Framing framing, Request words) {
  const Policy* policy = worker_.policies().find(words[1]);
  if (policy == nullptr) {
    find_policy(framing, words[1], false);
    return;
  }
  const Request ids = words.subspan(2);
  for (const std::string_view id : ids) {
    if (!id_ok(framing, id)) return;
  }
  if (ids.size() > 1) {
    Ask* head = add_ask(framing, Form::kListHead);
    head->operation.units = static_cast<int64_t>(ids.size());
    head->ready = true;
    worker_.touch(*this);
  }
  for (const std::string_view id : ids) {
    send(add_ask(framing, ids.size() > 1 ? Form::kPeekRow : Form::kPeek), Verb::kPeek, policy, id);
  }
}

void Session::ask_amount(Framing framing, Request words, Verb verb) {
  const Policy* policy = find_policy(framing, words[1], false);
  if (policy == nullptr || !id_ok(framing, words[2])) return;
  const std::optional<int64_t> units = units_at(words, 3);
  if (!units) return refuse(framing, ErrorCode::kBadRequest, kUnitsExpected);
  Ask* ask = add_ask(framing, Form::kRemaining);
  ask->operation.units = *units;
  send(ask, verb, policy, words[2]);
}

void Session::ask_reset(Framing framing, Request words) {
  const Policy* policy = worker_.policies().find(words[1]);
  if (policy == nullptr) {
    find_policy(framing, words[1], false);
    return;
  }
  if (!id_ok(framing, words[2])) return;
  send(add_ask(framing, Form::kDone), Verb::kReset, policy, words[2]);
}

void Session::ask_acquire(Framing framing, Request words) {
  const Policy* policy = find_policy(framing, words[1], true);
  if (policy == nullptr || !id_ok(framing, words[2])) return;
  const std::optional<int64_t> units = units_at(words, 3);
  if (!units) return refuse(framing, ErrorCode::kBadRequest, kUnitsExpected);
  const std::optional<int64_t> ttl_us = ttl_us_at(words, 4);
  if (!ttl_us) return refuse(framing, ErrorCode::kBadRequest, kTtlExpected);
  Ask* ask = add_ask(framing, Form::kTicket);
  ask->operation.units = *units;
  ask->operation.ttl_us = *ttl_us;
  ask->operation.ticket = worker_.new_ticket();
  send(ask, Verb::kAcquire, policy, words[2]);
}

void Session::ask_release(Framing framing, Request words) {
  const Policy* policy = find_policy(framing, words[1], true);
  if (policy == nullptr || !id_ok(framing, words[2])) return;
  const uint64_t ticket = parse_ticket(words[3]);
  if (ticket == 0) {
    return refuse(framing, ErrorCode::kBadRequest,
                  ErrorText().quote(words[3]).add(" is not a ticket; ACQUIRE gives them out"));
  }
  Ask* ask = add_ask(framing, Form::kRemaining);
  ask->operation.ticket = ticket;
  send(ask, Verb::kRelease, policy, words[2]);
}

// CL.THROTTLE key max_burst count period [units]: the limit comes with the request.
void Session::ask_throttle(Framing framing, Request words) {
  static constexpr int64_t kPeriodMaxS = engine::kWindowMaxUs / 1'000'000;
  if (!id_ok(framing, words[1])) return;
  const std::optional<int64_t> burst = integer(words[2], 0, engine::kLimitCountMax - 1);
  const std::optional<int64_t> count = integer(words[3], 1, engine::kLimitCountMax);
  const std::optional<int64_t> period_s = integer(words[4], 1, kPeriodMaxS);
  const std::optional<int64_t> units =
      words.size() > 5 ? integer(words[5], 0, engine::kUnitsMax) : std::optional<int64_t>(1);
  if (!burst || !count || !period_s || !units) {
    return refuse(framing, ErrorCode::kBadRequest,
                  "wanted: max_burst from 0, count from 1, period in seconds from 1 to 31622400, "
                  "units from 0");
  }
  const engine::Limit limit = engine::make_limit(*count, *burst + 1, *period_s * 1'000'000);
  const std::string_view fault = engine::limit_fault(engine::Algorithm::kGcra, limit);
  if (!fault.empty()) return refuse(framing, ErrorCode::kBadRequest, fault);
  Ask* ask = add_ask(framing, Form::kThrottle);
  ask->operation.units = *units;
  ask->throttle = limit;
  ask->operation.throttle = &ask->throttle;
  send(ask, Verb::kThrottle, nullptr, words[1]);
}

void Session::write(Ask& ask, ReplyWriter& reply) {
  using engine::Outcome;
  WorkerCounters& counters = worker_.counters();
  const engine::Operation& operation = ask.operation;
  if (ask.form == Form::kCost) return write_cost(*ask.cost, reply);
  const bool asked = ask.form != Form::kListHead && ask.form != Form::kControl;
  if (asked && operation.outcome > Outcome::kDone) {
    counters.errors.add();
    switch (operation.outcome) {
      case Outcome::kNoPolicy:
        return reply.error(ErrorCode::kNoPolicy, "the policy was removed meanwhile");
      case Outcome::kUnavailable:
        return reply.error(ErrorCode::kUnavailable,
                           "redis is away, and the policy has no answer without it");
      case Outcome::kUnfit:
        return reply.error(ErrorCode::kBadRequest,
                           "the policy's algorithm was changed meanwhile and has no such request");
      default:
        return reply.error(ErrorCode::kBusy, "no memory left for a new key; raise server.memory");
    }
  }
  const bool admitted = operation.outcome == Outcome::kAdmitted;
  switch (ask.form) {
    case Form::kDecision:
    case Form::kTicket:
    case Form::kTogether:
    case Form::kThrottle:
      counters.decisions.add(operation.policy, admitted, ask.source);
      counters.check_times[static_cast<size_t>(ask.source)].add(worker_.age_us(ask));
      if (counters.hot_keys.due()) counters.hot_keys.add(operation.policy, operation.key);
      if (!admitted && ask.keeps_id) tell_refusal(ask);
      if (ask.form == Form::kThrottle) return reply.throttle(admitted, operation.answer);
      return reply.decision(
          admitted, operation.answer, ask.source,
          {.position = ask.form == Form::kTogether ? ask.position : -1,
           .ticket = ask.form == Form::kTicket && admitted ? operation.ticket : 0});
    case Form::kRemaining:
      return reply.ok(operation.answer.remaining);
    case Form::kPeek:
      return reply.peek(operation.answer, ask.source);
    case Form::kPeekRow:
      return reply.peek_row(operation.answer, ask.source);
    case Form::kListHead:
      return reply.list(static_cast<size_t>(operation.units));
    case Form::kDone:
      return reply.ok();
    case Form::kControl:
      return write_control_result(reply);
    case Form::kPushed:
      return write_pushed(ask, reply);
    case Form::kLogs:
      return write_log(ask, reply);
    case Form::kCost:
      return;
  }
}

}  // namespace toll::daemon
