// The table of costs of the protocol: from words to requests for the owner of an account, and from
// its answer to a reply.

#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/limits.h"
#include "daemon/cost_letters.h"
#include "daemon/error_text.h"
#include "daemon/numbers.h"
#include "daemon/session.h"
#include "daemon/subcommand.h"
#include "daemon/treasury.h"
#include "daemon/worker.h"
#include "engine/money.h"

namespace toll::daemon {
namespace {

using engine::Month;
using engine::NanoDollars;
using Kind = CostRequestKind;

constexpr std::string_view kAmountExpected =
    "the amount must be dollars with at most 9 digits after the point, up to "
    "9223372036.854775807";
constexpr std::string_view kMonthExpected = "the month must be YYYY-MM, from 1970-01 to 2200-12";
constexpr std::string_view kHoldTtlExpected =
    "the ttl must be milliseconds, or a duration such as 30s or 2m, from 1ms to 1d";

using CostSubcommand = Subcommand<CostRequestKind>;

constexpr std::array kCostSubcommands = {
    CostSubcommand{"ADD", Kind::kAdd, 4, 5, "COST ADD id amount [key]"},
    CostSubcommand{"GET", Kind::kGet, 3, 4, "COST GET id [YYYY-MM]"},
    CostSubcommand{"CHECK", Kind::kCheck, 3, 4, "COST CHECK id [amount]"},
    CostSubcommand{"HOLD", Kind::kHold, 4, 5, "COST HOLD id amount [ttl]"},
    CostSubcommand{"SETTLE", Kind::kSettle, 5, 5, "COST SETTLE id hold actual"},
    CostSubcommand{"CANCEL", Kind::kCancel, 4, 4, "COST CANCEL id hold"},
};
constexpr std::array kBudgetSubcommands = {
    CostSubcommand{"SET", Kind::kBudgetSet, 4, 4, "BUDGET SET id amount|none"},
    CostSubcommand{"GET", Kind::kBudgetGet, 3, 3, "BUDGET GET id"},
    CostSubcommand{"CLEAR", Kind::kBudgetClear, 3, 3, "BUDGET CLEAR id"},
};

// ---- holds: "202611-1500000000-8f1c...", the month, the amount, and what tells it from others
// ----

struct HoldWords {
  Month month = 0;
  std::string name;  // the ledger's and the store's: "1500000000:8f1c..."
};

std::string hold_name(NanoDollars amount, uint64_t ticket) {
  std::array<char, kTicketDigits> digits;
  format_ticket(ticket, digits);
  return std::to_string(amount) + ":" + std::string(digits.data(), digits.size());
}

std::string hold_text(Month month, std::string_view name) {
  std::string text = engine::format_month(month, '-') + "-" + std::string(name);
  text.erase(4, 1);
  text[text.find(':')] = '-';
  return text;
}

std::optional<HoldWords> parse_hold(std::string_view text) {
  const size_t last = text.rfind('-');
  if (text.size() < 6 + 1 + 1 + 1 + kTicketDigits || text[6] != '-' || last < 7) {
    return std::nullopt;
  }
  const std::string month = std::string(text.substr(0, 4)) + "-" + std::string(text.substr(4, 2));
  const auto parsed_month = engine::parse_month(month);
  const std::string_view amount = text.substr(7, last - 7);
  int64_t nanos = 0;
  if (!parsed_month || !parse_integer(amount, 0, engine::kDollarsMax, nanos)) return std::nullopt;
  const uint64_t ticket = parse_ticket(text.substr(last + 1));
  if (ticket == 0) return std::nullopt;
  return HoldWords{*parsed_month, hold_name(nanos, ticket)};
}

std::string_view name_of(Kind kind) {
  switch (kind) {
    case Kind::kAdd:
      return "add";
    case Kind::kSettle:
      return "settle";
    case Kind::kCheck:
      return "check";
    case Kind::kHold:
      return "hold";
    default:
      return "";
  }
}

std::string budget_text(NanoDollars budget) {
  return budget == engine::kNoBudget ? "none" : engine::format_dollars(budget);
}

std::string_view refusal(CostResult result) {
  switch (result) {
    case CostResult::kTooMuch:
      return "the month's total would pass 9223372036.854775807 dollars";
    case CostResult::kFull:
      return "no memory left for another account; raise server.memory";
    case CostResult::kNoJournal:
      return "the journal cannot be written; HEALTH and the daemon's log say why";
    case CostResult::kNoStore:
      return "redis is away, and budgets are set there";
    case CostResult::kUnsafeStore:
      return "redis evicts any key when it is full and would forget what was spent; see "
             "costs.allow_unsafe_eviction";
    case CostResult::kFenced:
      return "another daemon charges under this one's name; the daemon's log says what to do";
    default:
      return "redis holds something else under the account's key";
  }
}

ErrorCode code_of(CostResult result) {
  if (result == CostResult::kTooMuch) return ErrorCode::kBadRequest;
  return result == CostResult::kFull ? ErrorCode::kBusy : ErrorCode::kUnavailable;
}

}  // namespace

void Session::ask_cost(Framing framing, Request words, bool budget) {
  const CostSubcommand* what = budget ? find_subcommand(kBudgetSubcommands, words[1])
                                      : find_subcommand(kCostSubcommands, words[1]);
  if (what == nullptr) {
    return refuse(framing, ErrorCode::kBadRequest,
                  ErrorText("no ")
                      .add(words[0].size() > 4 ? "BUDGET " : "COST ")
                      .quote(words[1])
                      .add(budget ? "; there are SET, GET and CLEAR"
                                  : "; there are ADD, GET, CHECK, HOLD, SETTLE and CANCEL"));
  }
  if (!what->arity_ok(words.size())) {
    return refuse(framing, ErrorCode::kBadRequest, ErrorText("usage: ").add(what->usage));
  }
  const bool sets = what->kind == Kind::kBudgetSet || what->kind == Kind::kBudgetClear;
  if (sets) {
    const bool clears = what->kind == Kind::kBudgetClear;
    administering_ = clears ? AdminRequest::kBudgetClear : AdminRequest::kBudgetSet;
  }
  if (sets && !is_admin()) {
    return refuse(framing, ErrorCode::kNoPermission,
                  "BUDGET SET and CLEAR are for root, the daemon's user and the admin group");
  }
  if (!id_ok(framing, words[2])) return;
  if (worker_.process().treasury == nullptr) {
    return refuse(framing, ErrorCode::kUnavailable, "costs are switched off: costs.enabled");
  }
  if (!worker_.has_cost()) {
    return refuse(framing, ErrorCode::kBusy, "too many requests about costs under way");
  }
  CostWords parsed{.kind = what->kind};
  if (!read_cost(framing, words, parsed)) return;
  CostRequest* request = worker_.new_cost(add_ask(framing, Form::kCost));
  request->kind = parsed.kind;
  request->month = parsed.month;
  request->amount = parsed.amount;
  request->ttl_us = parsed.ttl_us;
  request->keep(words[2], parsed.text);
  request->key = account_key(worker_.process().hasher, words[2]);
  worker_.ask(request);
}

// What the words behind the id say. False: they were refused.
bool Session::read_cost(Framing framing, Request words, CostWords& parsed) {
  const auto wrong = [&](std::string_view message) {
    refuse(framing, ErrorCode::kBadRequest, message);
    return false;
  };
  const auto amount_at = [&](size_t index) {
    const auto amount = engine::parse_dollars(words[index]);
    if (amount) parsed.amount = *amount;
    return amount.has_value();
  };
  switch (parsed.kind) {
    case Kind::kAdd:
      if (!amount_at(3)) return wrong(kAmountExpected);
      if (words.size() < 5) return true;
      parsed.text = words[4];
      if (!words[4].empty() && words[4].size() <= kChargeKeyMax) return true;
      return wrong("the key must be 1 to 64 bytes");
    case Kind::kGet:
      if (words.size() < 4) return true;
      if (const auto month = engine::parse_month(words[3])) parsed.month = *month;
      return parsed.month != 0 || wrong(kMonthExpected);
    case Kind::kCheck:
      return words.size() < 4 || amount_at(3) || wrong(kAmountExpected);
    case Kind::kHold:
      if (!amount_at(3)) return wrong(kAmountExpected);
      parsed.ttl_us = worker_.process().treasury->settings().hold_ttl_us;
      if (words.size() > 4 &&
          (!parse_ttl(words[4], parsed.ttl_us) || parsed.ttl_us > config::kHoldTtlMaxUs)) {
        return wrong(kHoldTtlExpected);
      }
      parsed.month = engine::month_at(worker_.now());
      parsed.text = hold_name(parsed.amount, worker_.new_ticket());
      return true;
    case Kind::kSettle:
    case Kind::kCancel: {
      const auto hold = parse_hold(words[3]);
      if (!hold) {
        refuse(framing, ErrorCode::kNoHold,
               ErrorText().quote(words[3]).add(" is not a hold; COST HOLD gives them out"));
        return false;
      }
      parsed.month = hold->month;
      parsed.text = hold->name;
      return parsed.kind == Kind::kCancel || amount_at(4) || wrong(kAmountExpected);
    }
    case Kind::kBudgetSet:
      if (words[3] == "none") {
        parsed.amount = engine::kNoBudget;
        return true;
      }
      return amount_at(3) || wrong(
                                 "the budget must be dollars with at most 9 digits after the "
                                 "point, or none");
    default:
      return true;
  }
}

void Session::write_cost(const CostRequest& request, ReplyWriter& reply) {
  WorkerCounters& counters = worker_.counters();
  if (request.result > CostResult::kRefused) {
    counters.errors.add();
    return reply.error(code_of(request.result), refusal(request.result));
  }
  const std::string_view source = request.by_store ? "redis" : "journal";
  counters.cost_times[request.by_store ? 1 : 0].add(worker_.age_us(*request.ask));
  if (worker_.happenings().wants(HappeningKind::kBudget)) {
    tell_budget(request, name_of(request.kind));
  }
  const std::string spent = engine::format_dollars(request.spent);
  const std::string held = engine::format_dollars(request.held);
  const std::string budget = budget_text(request.budget);
  switch (request.kind) {
    case Kind::kAdd:
    case Kind::kSettle:
    case Kind::kCancel:
      return reply.fields({spent, source});
    case Kind::kGet:
      return reply.fields({spent, held, source});
    case Kind::kBudgetSet:
    case Kind::kBudgetGet:
    case Kind::kBudgetClear:
      return reply.ok_bulk(budget);
    case Kind::kCheck:
    case Kind::kHold:
      break;
  }
  const bool admitted = request.result == CostResult::kAdmitted;
  (admitted ? counters.budget_admitted : counters.budget_refused).add();
  const NanoDollars used = engine::add_capped(request.spent, request.held);
  const std::string remaining =
      request.budget == engine::kNoBudget
          ? "none"
          : engine::format_dollars(request.budget > used ? request.budget - used : 0);
  if (request.kind == Kind::kHold && admitted) {
    return reply.verdict(
        admitted, {budget, spent, held, remaining, source, hold_text(request.month, request.text)});
  }
  reply.verdict(admitted, {budget, spent, held, remaining, source});
}

}  // namespace toll::daemon
