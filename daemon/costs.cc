#include "daemon/costs.h"

#include <algorithm>
#include <cassert>
#include <spdlog/spdlog.h>
#include <utility>

#include "daemon/session.h"
#include "daemon/worker.h"
#include "engine/flaws.h"

namespace toll::daemon {
namespace {

using engine::Account;
using engine::CostVerb;
using engine::JournalRecord;
using engine::Ledger;
using engine::Month;
using engine::NanoDollars;
using engine::RecordKind;

// After the journal could not be read.
constexpr int64_t kReadAgainNs = 1'000'000'000;

bool is_charge(const CostRequest& request) {
  return request.kind == CostRequestKind::kAdd || request.kind == CostRequestKind::kSettle;
}

}  // namespace

Costs::Costs(Worker& worker, Treasury& treasury, net::RedisLink* link)
    : worker_(worker),
      treasury_(treasury),
      link_(link),
      book_(treasury.book(worker.index())),
      feed_({.worker = worker.index(),
             .workers = worker.process().workers_count,
             .epoch = treasury.identity().epoch},
            book_, worker.process().hasher),
      call_data_({.layout = treasury.settings().layout,
                  .prefix = worker.process().redis.prefix,
                  .node = treasury.identity().node,
                  .epoch = treasury.identity().epoch,
                  .default_budget = treasury.settings().budget}),
      filling_(std::make_unique<JournalCommit>()) {
  call_.costs = this;
  claim_.costs = this;
}

Costs::~Costs() = default;

engine::TimeUs Costs::now() {
  return worker_.now();
}

// ---- requests ----

void Costs::ask(CostRequest& request) {
  if (!backlog_.empty() || !filling_->frame.has_room()) return backlog_.push(request);
  take(request);
}

void Costs::take(CostRequest& request) {
  request.question = {};
  request.charged = request.repeated = false;
  request.by_store = false;
  request.account = nullptr;
  book_.ledger.lapse(now());
  switch (request.kind) {
    case CostRequestKind::kAdd:
      return add(request);
    case CostRequestKind::kSettle:
      return settle(request);
    default:
      if (link_ == nullptr) return answer_here(request);
      return question(request);
  }
}

bool Costs::take_account(CostRequest& request, Month month) {
  request.account = book_.ledger.find_or_add(request.key, request.id, month, link_ == nullptr);
  if (request.account == nullptr) {
    finish(request, CostResult::kFull);
    return false;
  }
  ++request.account->users;
  return true;
}

// Can a charge be promised?
bool Costs::journal_ready(CostRequest& request) {
  if (!fenced_ && !unsafe_) return true;
  finish(request, fenced_ ? CostResult::kFenced : CostResult::kUnsafeStore);
  return false;
}

void Costs::add(CostRequest& request) {
  request.month = engine::month_at(now());
  if (!journal_ready(request) || !take_account(request, request.month)) return;
  charge(request, RecordKind::kCharge);
}

// The month is that of the hold. A hold that is not here may be in the store, or have lapsed: it is
// charged all the same.
void Costs::settle(CostRequest& request) {
  if (!journal_ready(request) || !take_account(request, request.month)) return;
  charge(request, RecordKind::kSettle);
}

// Refuses it, or sends it on its way to the journal.
void Costs::charge(CostRequest& request, RecordKind kind) {
  Account& account = *request.account;
  const bool settles = kind == RecordKind::kSettle;
  if (!request.text.empty()) {
    request.charge_key = charge_key(worker_.process().hasher, request.id, settles, request.text);
    if (const auto answered = book_.keys.find(request.charge_key)) {
      // It may not be durable yet; what is behind it in the same list is not sooner.
      request.repeated = true;
      request.question.accepted = account.accepted;
      request.spent = settles ? account.spent() : *answered;
      return filling_->waiting.push(request);
    }
  }
  if (!Ledger::accept(account, request.amount)) return finish(request, CostResult::kTooMuch);
  request.spent = account.spent();
  if (!request.text.empty() && !remember(request, settles)) {
    Ledger::refuse(account, request.amount);
    return finish(request, CostResult::kFull);
  }
  request.charged = true;
  worker_.counters().costs_accepted.add();
  request.sequence = ++sequence_;
  request.question.accepted = account.accepted;
  filling_->has_charges = true;
  write_down(request, {.kind = kind,
                       .sequence = request.sequence,
                       .amount = request.amount,
                       .time = now(),
                       .extra = settles ? int64_t{request.month} : request.spent,
                       .id = request.id,
                       .key = request.text});
}

// False: there is no room for its key.
bool Costs::remember(const CostRequest& request, bool settles) {
  const bool stored = link_ != nullptr;
  return book_.keys.add(request.charge_key, request.spent, now(), stored,
                        stored ? std::string() : text_of({request.id, settles, request.text}));
}

// The record leaves with the next commit, and the request is answered after it.
void Costs::write_down(CostRequest& request, const JournalRecord& record) {
  filling_->frame.add(record);
  const bool too_soon = engine::flawed(engine::Flaw::kAcksBeforeCommit);
  if (too_soon && request.kind == CostRequestKind::kAdd) return kept(request);
  filling_->waiting.push(request);
}

// ---- without a store ----

void Costs::answer_here(CostRequest& request) {
  const bool of_the_id = request.kind == CostRequestKind::kBudgetSet ||
                         request.kind == CostRequestKind::kBudgetGet ||
                         request.kind == CostRequestKind::kBudgetClear;
  if (request.month == 0 && !of_the_id) request.month = engine::month_at(now());
  if (!take_account(request, of_the_id ? 0 : request.month)) return;
  switch (request.kind) {
    case CostRequestKind::kHold:
      return hold_here(request);
    case CostRequestKind::kBudgetSet:
    case CostRequestKind::kBudgetClear:
      return budget_here(request);
    case CostRequestKind::kCancel:
      describe(request);
      if (!Ledger::release(*request.account, std::string(request.text))) break;
      describe(request);
      return write_down(request, {.kind = RecordKind::kCancel,
                                  .time = now(),
                                  .extra = request.month,
                                  .id = request.id,
                                  .key = request.text});
    default:
      describe(request);
      break;
  }
  const bool checks = request.kind == CostRequestKind::kCheck;
  if (!checks) return finish(request, CostResult::kDone);
  finish(request, is_within(request) ? CostResult::kAdmitted : CostResult::kRefused);
}

// Is there so much left? REQUIRES: it was described.
bool Costs::is_within(const CostRequest& request) {
  const NanoDollars used = engine::add_capped(request.spent, request.held);
  if (request.amount > engine::kDollarsMax - used) return false;
  return request.budget == engine::kNoBudget || used + request.amount <= request.budget;
}

// Also where the store is away: then nothing is journaled, as the hold is this process' own.
void Costs::hold_here(CostRequest& request) {
  Account& account = *request.account;
  describe(request);
  if (!is_within(request)) return finish(request, CostResult::kRefused);
  const engine::TimeUs expires = now() + request.ttl_us;
  book_.ledger.hold(account, request.text, request.amount, expires);
  describe(request);
  if (link_ != nullptr) return finish(request, CostResult::kAdmitted);
  request.result = CostResult::kAdmitted;
  write_down(request, {.kind = RecordKind::kHold,
                       .amount = request.amount,
                       .time = now(),
                       .extra = expires,
                       .id = request.id,
                       .key = request.text});
}

void Costs::budget_here(CostRequest& request) {
  const bool clears = request.kind == CostRequestKind::kBudgetClear;
  request.question.amount = request.account->budget;  // to go back to, if this cannot be kept
  request.account->budget = clears ? engine::kDefaultBudget : request.amount;
  describe(request);
  write_down(request, {.kind = RecordKind::kBudget,
                       .amount = request.account->budget,
                       .time = now(),
                       .id = request.id,
                       .key = {}});
}

NanoDollars Costs::budget_of(const Account& account) const {
  NanoDollars budget = account.budget;
  if (link_ == nullptr && account.month != 0) {
    const Account* own = book_.ledger.find(account.key, account.id, 0);
    budget = own == nullptr ? engine::kDefaultBudget : own->budget;
  }
  return budget == engine::kDefaultBudget ? treasury_.settings().budget : budget;
}

// What the ledger knows.
void Costs::describe(CostRequest& request) {
  const Account& account = *request.account;
  request.spent = account.spent();
  request.held = account.all_held();
  request.budget = budget_of(account);
}

// ---- answers ----

void Costs::finish(CostRequest& request, CostResult result) {
  request.result = result;
  if (request.account != nullptr) {
    // Only who tells of budgets asks what a charge has to do with one.
    if (is_charge(request) && worker_.happenings().wants(HappeningKind::kBudget)) {
      request.budget = budget_of(*request.account);
    }
    --request.account->users;
  }
  request.account = nullptr;
  worker_.answer(request);
}

// ---- the journal ----

void Costs::send_commit() {
  if (committing_) return;
  const engine::JournalPosition need = needs();
  const bool tells = need != told_needs_ && worker_.turn_ns() >= told_ns_ + kTellEveryNs;
  if (filling_->frame.empty() && filling_->waiting.empty() && !tells) return;
  filling_->needs = need;
  told_needs_ = need;
  told_ns_ = worker_.turn_ns();
  committing_ = true;
  spare_ = feed_.take_free();
  if (spare_ == nullptr) spare_ = std::make_unique<JournalCommit>();
  std::swap(filling_, spare_);
  filling_->frame.clear();
  filling_->waiting = {};
  filling_->has_charges = false;
  worker_.send_to_journal(*spare_);
}

void Costs::answered(JournalCommit& commit) {
  assert(committing_ && spare_.get() == &commit);
  committing_ = false;
  if (!commit.durable) {
    next_floor_ = {};
    give_up_snapshot();
    // What came after may rest on what was refused: a repeat, a hold.
    fail_commit(filling_->waiting);
    fail_commit(commit.waiting);
    filling_->frame.clear();
    filling_->waiting = {};
    filling_->has_charges = false;
    return;
  }
  if (!commit.frame.empty()) last_ = commit.position;
  // The end of a snapshot is in it.
  floor_ = std::max(floor_, std::exchange(next_floor_, {}));
  CostRequests waiting = commit.waiting;
  if (link_ != nullptr && commit.has_charges) feed_.kept(std::move(spare_));
  while (CostRequest* request = waiting.pop()) kept(*request);
}

// None of it counts. The last first, as each goes back to what was before it.
void Costs::fail_commit(CostRequests& waiting) {
  std::vector<CostRequest*> all;
  while (CostRequest* request = waiting.pop()) all.push_back(request);
  std::ranges::reverse(all);
  for (CostRequest* request : all) {
    if (request->charged) {
      Ledger::refuse(*request->account, request->amount);
      if (!request->text.empty()) book_.keys.remove(request->charge_key);
    } else if (request->kind == CostRequestKind::kHold) {
      Ledger::release(*request->account, std::string(request->text));
    } else if (request->kind == CostRequestKind::kBudgetSet ||
               request->kind == CostRequestKind::kBudgetClear) {
      request->account->budget = request->question.amount;
    }
    finish(*request, CostResult::kNoJournal);
  }
}

// It is durable: that is the promise. What is still to be said is the total.
void Costs::kept(CostRequest& request) {
  if (!is_charge(request)) {
    const bool held = request.kind == CostRequestKind::kHold;
    return finish(request, held ? CostResult::kAdmitted : CostResult::kDone);
  }
  // The hold has become a charge. If it is the store's, it ends there with it.
  if (request.kind == CostRequestKind::kSettle && request.charged) {
    Ledger::release(*request.account, std::string(request.text));
  }
  if (link_ == nullptr) return finish(request, CostResult::kDone);
  const bool there = store_usable();
  const bool waits = treasury_.settings().ack == config::CostAck::kRedis && request.charged;
  if (there && waits) {
    request.deadline_ns = worker_.turn_ns() + worker_.process().redis.call_timeout_us * 1'000;
    first_deadline_ns_ = std::min(first_deadline_ns_, request.deadline_ns);
    return applying_.push(request);
  }
  if (there && !request.account->known) {
    // The first of this account here: the store is asked what there was before.
    request.question.verb = CostVerb::kGet;
    request.question.account = request.account;
    request.deadline_ns = worker_.turn_ns() + kCostDeadlineNs;
    first_deadline_ns_ = std::min(first_deadline_ns_, request.deadline_ns);
    return questions_.push(request);
  }
  request.by_store = there && request.account->known;
  finish(request, CostResult::kDone);
}

engine::JournalPosition Costs::needs() const {
  if (link_ != nullptr) return feed_.needs();
  return floor_;
}

void Costs::pump() {
  const int64_t now_ns = worker_.turn_ns();
  if (link_ != nullptr) {
    if (now_ns >= retry_ns_) retry_ns_ = 0;
    if (now_ns >= read_again_ns_) read_again_ns_ = 0;
    expire(now_ns);
    claim();
    send_call();
    const bool may_read = read_again_ns_ == 0 && !stopping_;
    JournalRead* const read = may_read ? feed_.wants_read() : nullptr;
    if (read != nullptr) worker_.send_to_journal(*read);
  }
  while (!backlog_.empty() && filling_->frame.has_room()) take(*backlog_.pop());
  snapshot();
  send_commit();
  if (link_ == nullptr) return;
  const engine::TimeUs oldest = feed_.oldest_unapplied();
  worker_.counters().costs_oldest_us.set(static_cast<uint64_t>(oldest));
}

void Costs::answered(JournalRead& read) {
  read_again_ns_ = read.failed ? worker_.turn_ns() + kReadAgainNs : 0;
  feed_.arrived(read);
}

bool Costs::idle() const {
  return !committing_ && !calling_ && !claiming_ && !feed_.reading() && filling_->waiting.empty() &&
         backlog_.empty() && questions_.empty() && applying_.empty();
}

}  // namespace toll::daemon
