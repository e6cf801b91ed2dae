// A worker's costs and Redis: which call goes out, what its answer means, and what is answered
// without it.

#include <algorithm>
#include <cassert>
#include <spdlog/spdlog.h>
#include <string>

#include "daemon/costs.h"
#include "daemon/limits.h"
#include "daemon/store.h"
#include "daemon/store_link.h"
#include "daemon/worker.h"
#include "engine/flaws.h"
#include "net/redis_reply.h"

namespace toll::daemon {
namespace {

using engine::CostCall;
using engine::CostCharge;
using engine::CostOutcome;
using engine::CostVerb;
using engine::CostVerdict;
using net::RedisErrorKind;

// Holds to be ended; more than these lapse by themselves.
constexpr size_t kUnwantedMax = 16'384;

CostVerb verb_of(CostRequestKind kind) {
  switch (kind) {
    case CostRequestKind::kCheck:
      return CostVerb::kCheck;
    case CostRequestKind::kHold:
      return CostVerb::kHold;
    case CostRequestKind::kCancel:
      return CostVerb::kCancel;
    case CostRequestKind::kBudgetSet:
      return CostVerb::kBudgetSet;
    case CostRequestKind::kBudgetClear:
      return CostVerb::kBudgetClear;
    default:
      return CostVerb::kGet;
  }
}

bool needs_store(CostRequestKind kind) {
  return kind == CostRequestKind::kBudgetSet || kind == CostRequestKind::kBudgetClear;
}

}  // namespace

// ---- questions ----

void Costs::question(CostRequest& request) {
  if (unsafe_) return finish(request, CostResult::kUnsafeStore);
  if (request.month == 0) request.month = engine::month_at(now());
  if (!take_account(request, request.month)) return;
  if (request.kind == CostRequestKind::kCancel) {
    engine::Ledger::release(*request.account, std::string(request.text));
  }
  request.question = {.verb = verb_of(request.kind),
                      .account = request.account,
                      .amount = request.amount,
                      .accepted = request.account->accepted,
                      .expires = now() + request.ttl_us,
                      .hold = request.text};
  request.deadline_ns = worker_.turn_ns() + kCostDeadlineNs;
  first_deadline_ns_ = std::min(first_deadline_ns_, request.deadline_ns);
  questions_.push(request);
}

// Past its time, or with nobody to ask: what the ledger knows.
void Costs::answer_by_ledger(CostRequest& request) {
  worker_.counters().costs_by_ledger.add();
  if (needs_store(request.kind)) return finish(request, CostResult::kNoStore);
  if (request.kind == CostRequestKind::kHold) return hold_here(request);
  if (request.charged || request.repeated) return finish(request, CostResult::kDone);
  describe(request);
  if (request.kind != CostRequestKind::kCheck) return finish(request, CostResult::kDone);
  finish(request, is_within(request) ? CostResult::kAdmitted : CostResult::kRefused);
}

void Costs::answer_all_by_ledger(CostRequests& requests) {
  CostRequests all = requests;
  requests = {};
  while (CostRequest* request = all.pop()) answer_by_ledger(*request);
}

// Those of the call under way are answered too; its reply then finds nobody who asked.
void Costs::expire(int64_t now_ns) {
  if (now_ns < first_deadline_ns_) return;
  first_deadline_ns_ = INT64_MAX;
  // Those that were asked first come first: what is left of a budget goes to them.
  for (CostRequests* list : {&flying_, &questions_, &applying_}) {
    CostRequests kept;
    CostRequests late;
    while (CostRequest* request = list->pop()) {
      (request->deadline_ns <= now_ns ? late : kept).push(*request);
    }
    *list = kept;
    for (const CostRequest* request = kept.first; request != nullptr; request = request->next) {
      first_deadline_ns_ = std::min(first_deadline_ns_, request->deadline_ns);
    }
    while (CostRequest* request = late.pop()) {
      if (list == &flying_) call_data_.forget(request->question);
      answer_by_ledger(*request);
    }
  }
}

int64_t Costs::next_due_ns() const {
  int64_t due_ns = first_deadline_ns_;
  if (told_needs_ != needs()) due_ns = std::min(due_ns, told_ns_ + kTellEveryNs);
  if (read_again_ns_ != 0) due_ns = std::min(due_ns, read_again_ns_);
  if (link_ != nullptr && !calling_ && retry_ns_ != 0) due_ns = std::min(due_ns, retry_ns_);
  return due_ns;
}

// ---- our name ----

bool Costs::store_usable() const {
  return link_ != nullptr && link_->ready() && !unsafe_ && !stopping_ &&
         worker_.turn_ns() >= retry_ns_ &&
         worker_.store()->breaker_state() == engine::BreakerState::kClosed;
}

void Costs::link_ready() {
  const net::RedisServer& server = link_->server();
  unsafe_ = server.maxmemory_policy.starts_with("allkeys-") &&
            !treasury_.settings().allow_unsafe_eviction;
  worker_.counters().costs_unsafe.set(unsafe_ ? 1 : 0);
  if (unsafe_ && worker_.index() == 0) {
    spdlog::error(
        "costs are refused: redis evicts any key when it is full (maxmemory-policy {}) and would "
        "forget what was spent; set noeviction, or costs.allow_unsafe_eviction = true",
        server.maxmemory_policy);
  }
  ours_ = false;
  retry_ns_ = 0;
  if (!server.run_id.empty() && server.run_id == run_id_) return;
  // Another server, or the same begun anew: it may not have all that the last one told us it had.
  if (met_) {
    worker_.counters().costs_rewinds.add();
    feed_.rewind();
  }
  met_ = true;
  run_id_ = server.run_id;
}

void Costs::link_away() {
  ours_ = false;
  if (!calling_) answer_all_by_ledger(questions_);
}

void Costs::claim() {
  if (ours_ || claiming_ || fenced_ || !store_usable()) return;
  // Nothing is sent under our name before there is something to send.
  if (!feed_.fill()) return;
  claiming_ = true;
  const std::string key =
      CostCall::epoch_key(worker_.process().redis.prefix, treasury_.identity().node);
  link_->begin(claim_, 6);
  link_->word("EVALSHA");
  link_->word(link_->sha1(kEpochScript));
  link_->word(int64_t{1});
  link_->word(key);
  link_->word(static_cast<int64_t>(treasury_.identity().epoch));
  link_->word(treasury_.token());
  link_->end(worker_.turn_ns());
  link_->flush();
}

void Costs::claimed(const net::RedisReply& reply) {
  claiming_ = false;
  if (reply.kind == net::RedisReply::Kind::kError) return failed(reply.text);
  if (reply.kind != net::RedisReply::Kind::kInteger) return say("an answer that is no epoch");
  ours_ = reply.integer == static_cast<int64_t>(treasury_.identity().epoch);
  if (!ours_) fence(static_cast<uint64_t>(reply.integer));
}

void Costs::fence(uint64_t epoch) {
  if (fenced_) return;
  fenced_ = true;
  worker_.counters().costs_fenced.set(1);
  spdlog::critical(
      "costs are refused: another daemon charges under this one's name (epoch {}, ours is {}). "
      "Its server.state_dir is a copy of ours, or ours was restored from an older time. Stop one "
      "of "
      "the two; to go on under a new name, remove the file journal/identity in server.state_dir",
      epoch, treasury_.identity().epoch);
}

// ---- calls ----

void Costs::send_call() {
  if (calling_) return;
  if (!store_usable()) {
    answer_all_by_ledger(questions_);
    // What waits for the store has its promise already.
    return;
  }
  call_data_.begin();
  for (Unwanted& hold : unwanted_) {
    hold.sent = call_data_.add(hold.question);
    if (!hold.sent) break;
  }
  if (ours_ && !fenced_) add_charges();
  flying_ = {};
  CostRequests wait;
  while (!questions_.empty()) {
    CostRequest& request = *questions_.first;
    // Until the journal of before is through, nobody knows which of its charges the store has.
    const bool unsure = !feed_.caught_up() && request.account->pending() > 0;
    if (!unsure && !call_data_.add(request.question)) break;
    questions_.pop();
    (unsure ? wait : flying_).push(request);
  }
  while (CostRequest* request = questions_.pop()) wait.push(*request);
  questions_ = wait;
  if (call_data_.empty()) return;
  call_data_.pack();
  calling_ = true;
  resent_ = 0;
  write_call();
}

void Costs::add_charges() {
  while (feed_.fill()) {
    for (CostCharge& charge : feed_.window()) {
      if (!charge.done && !call_data_.add(charge)) break;
    }
    if (!feed_.settled()) return;
    window_over();
  }
}

void Costs::window_over() {
  worker_.counters().costs_applied.add(feed_.window().size());
  feed_.next_window();
  answer_applied();
}

void Costs::write_call() {
  const auto keys = call_data_.keys();
  const auto arguments = call_data_.arguments();
  worker_.counters().costs_calls.sent.add();
  call_sent_ns_ = worker_.turn_ns();
  link_->begin(call_, 3 + keys.size() + arguments.size());
  link_->word("EVALSHA");
  link_->word(link_->sha1(kCostsScript));
  link_->word(static_cast<int64_t>(keys.size()));
  for (const std::string_view key : keys) link_->word(key);
  for (const std::string_view argument : arguments) link_->word(argument);
  link_->end(worker_.turn_ns());
  link_->flush();
}

void Costs::lost(net::CallLoss loss) {
  calling_ = false;
  worker_.counters().costs_calls.lost[static_cast<size_t>(loss)].add();
  for (CostCharge& charge : feed_.window()) {
    if (engine::flawed(engine::Flaw::kRenumbersRetry)) charge.number.sequence = ++sequence_;
  }
  if (engine::flawed(engine::Flaw::kDropsLostCharges)) feed_.next_window();
  // Whether they were made is not known; who asked is answered without them.
  call_data_.for_each_hold(
      [this](engine::Account& account, std::string_view name) { end_hold(account, name); });
  answer_all_by_ledger(flying_);
}

// Ends a hold that the store may have made and that is not wanted there.
void Costs::end_hold(engine::Account& account, std::string_view name) {
  if (unwanted_.size() >= kUnwantedMax) return;
  Unwanted& hold = unwanted_.emplace_back();
  hold.name = name;
  hold.question = {.verb = CostVerb::kCancel, .account = &account, .hold = hold.name};
  ++account.users;
}

// Of a hold that was made after its client was answered: the ledger's, if it admitted it too, goes;
// else the store's.
void Costs::settle_late_holds() {
  while (!unwanted_.empty() && unwanted_.front().sent) {
    --unwanted_.front().question.account->users;
    unwanted_.pop_front();
  }
  for (const CostCall::LateHold& hold : call_data_.late_holds()) {
    if (engine::Ledger::release(*hold.account, hold.name)) continue;
    end_hold(*hold.account, hold.name);
  }
}

void Costs::replied(const net::RedisReply& reply) {
  const int64_t took_ns = worker_.turn_ns() - call_sent_ns_;
  worker_.counters().costs_calls.answered.add(static_cast<uint64_t>(took_ns / 1'000));
  if (reply.kind == net::RedisReply::Kind::kError) {
    const bool no_script = net::error_kind(reply.text) == RedisErrorKind::kNoScript;
    if (no_script && resent_ < kResendsMax) {
      ++resent_;
      link_->load_scripts(worker_.turn_ns());
      // Nothing was done, and what is sent again is what was sent.
      return write_call();
    }
    calling_ = false;
    answer_all_by_ledger(flying_);
    return failed(reply.text);
  }
  calling_ = false;
  deal(reply.kind == net::RedisReply::Kind::kString ? reply.text : std::string_view());
}

void Costs::failed(std::string_view message) {
  const net::RedisErrorKind kind = net::error_kind(message);
  worker_.counters().costs_calls.errors[static_cast<size_t>(kind)].add();
  retry_later(message);
}

void Costs::retry_later(std::string_view problem) {
  retry_ns_ = worker_.turn_ns() + kStoreRetryNs;
  say(problem);
}

void Costs::say(std::string_view problem) {
  const int64_t now_ns = worker_.turn_ns();
  if (said_ns_ != 0 && now_ns - said_ns_ < kSayEveryNs) return;
  said_ns_ = now_ns;
  spdlog::warn("redis answered a call about costs with an error: {}", problem);
}

// ---- what the reply says ----

void Costs::deal(std::string_view reply) {
  const auto all = call_data_.deal(reply);
  if (!all) {
    answer_all_by_ledger(flying_);
    worker_.counters().costs_calls.malformed.add();
    return retry_later(all.error());
  }
  retry_ns_ = 0;
  settle_late_holds();
  bool forgot = false;
  for (const CostCall::Dealt& dealt : *all) {
    switch (dealt.verdict) {
      case CostVerdict::kApplied:
        break;
      case CostVerdict::kDuplicate:
        worker_.counters().costs_duplicates.add();
        break;
      case CostVerdict::kDiffers:
        worker_.counters().costs_gaps.add();
        forgot = forgot || dealt.forgot;
        break;
      case CostVerdict::kFenced:
        fence(dealt.mark.epoch);
        break;
      case CostVerdict::kOverflow:
      case CostVerdict::kPoisoned:
        give_up(dealt);
        break;
    }
  }
  answer_asked();
  if (feed_.window().empty()) return;
  if (forgot) {
    worker_.counters().costs_rewinds.add();
    feed_.rewind();
  } else if (feed_.settled()) {
    window_over();
  }
}

void Costs::give_up(const CostCall::Dealt& dealt) {
  worker_.counters().costs_given_up.add();
  spdlog::error(
      "charges of {} dollars could not be added to their month in redis and are given up: "
      "{}; `tollkeeper journal dump` shows them, epoch {}",
      engine::format_dollars(dealt.lost),
      dealt.verdict == CostVerdict::kOverflow ? "the total would not fit 64 bits"
                                              : "its key holds something else",
      treasury_.identity().epoch);
}

void Costs::answer_asked() {
  CostRequests asked = flying_;
  flying_ = {};
  while (CostRequest* request = asked.pop()) {
    const engine::CostQuestion& question = request->question;
    if (question.outcome == CostOutcome::kPoisoned) {
      const bool kept = request->charged || request->repeated;
      finish(*request, kept ? CostResult::kDone : CostResult::kPoisoned);
      continue;
    }
    request->by_store = true;
    request->spent = question.spent;
    request->held = engine::add_capped(question.held, request->account->held);
    request->budget = question.budget;
    if (request->charged && !request->text.empty()) {
      book_.keys.answered(request->charge_key, request->spent);
    }
    if (request->repeated && request->kind == CostRequestKind::kAdd) {
      request->spent = book_.keys.find(request->charge_key).value_or(request->spent);
    }
    const bool decides =
        request->kind == CostRequestKind::kCheck || request->kind == CostRequestKind::kHold;
    finish(*request, !decides                                ? CostResult::kDone
                     : question.outcome == CostOutcome::kYes ? CostResult::kAdmitted
                                                             : CostResult::kRefused);
  }
}

// Those whose charge the store has now: the window was in the journal's order, and so are they.
void Costs::answer_applied() {
  while (!applying_.empty()) {
    CostRequest& request = *applying_.first;
    const engine::ChargeNumber number{treasury_.identity().epoch, request.sequence};
    const auto& mark = request.account->mark;
    if (!mark || *mark < number) return;
    applying_.pop();
    request.by_store = true;
    finish(request, CostResult::kDone);
  }
}

}  // namespace toll::daemon
