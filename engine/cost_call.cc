#include "engine/cost_call.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "engine/limits.h"

namespace toll::engine {
namespace {

constexpr size_t kReplyHeadNumbers = 3;
constexpr size_t kReplyItemNumbers = 3;
constexpr size_t kChargesNumbers = 10;
constexpr size_t kKeyedNumbers = 3;
constexpr size_t kQuestionNumbers = 8;

constexpr int64_t kDollarsPartMax = kDollarsMax / kNanosPerDollar;

constexpr std::string_view kNotThisCostCall =
    "the reply of the costs script is not one to this call";

// `least`: -1 where there may be none.
NanoDollars read_amount(PackReader& reader, int64_t least = 0) {
  const int64_t dollars = reader.number(least, kDollarsPartMax);
  const int64_t nanos = reader.number(0, kNanosPerDollar - 1);
  if (dollars < 0) return kNoBudget;
  if (dollars == kDollarsPartMax && nanos > kDollarsMax % kNanosPerDollar) return kDollarsMax;
  return dollars * kNanosPerDollar + nanos;
}

}  // namespace

CostCall::CostCall(Settings settings)
    : settings_(std::move(settings)), field_("w:" + hexadecimal(settings_.node)) {
  all_items_.resize(settings_.accounts_max + settings_.questions_max);
}

std::string CostCall::epoch_key(std::string_view prefix, const NodeId& node) {
  return std::string(prefix) + "tollkeeper:epoch:" + hexadecimal(node);
}

void CostCall::Item::clear() {
  account->item = UINT32_MAX;
  --account->users;
  account = nullptr;
  has_charges = false;
  plain = 0;
  charges.clear();
  keyed.clear();
  questions.clear();
}

// ---- what goes in ----

void CostCall::begin() {
  for (Item* item : items_) item->clear();
  items_.clear();
  keyed_ = 0;
  questions_ = 0;
}

CostCall::Item& CostCall::item_of(Account& account) {
  if (account.item == UINT32_MAX) {
    account.item = static_cast<uint32_t>(items_.size());
    items_.push_back(&all_items_[items_.size()]);
    items_.back()->account = &account;
    ++account.users;
  }
  return *items_[account.item];
}

bool CostCall::add(CostCharge& charge) {
  assert(!charge.done && charge.account != nullptr);
  if (charge.account->mark && charge.number <= *charge.account->mark) {
    finish(charge);
    return true;
  }
  const bool is_new = charge.account->item == UINT32_MAX;
  if (is_new && items_.size() >= settings_.accounts_max) return false;
  if (!charge.key.empty() && keyed_ >= settings_.keyed_max) return false;
  Item& item = item_of(*charge.account);
  if (!item.has_charges) item.first = charge.number;
  assert(!item.has_charges || item.last < charge.number);
  item.has_charges = true;
  item.last = charge.number;
  if (charge.key.empty()) {
    // Sums of what was accepted fit; of what a damaged journal said they may not.
    item.plain = add_capped(item.plain, charge.amount);
  } else {
    item.keyed.push_back(&charge);
    ++keyed_;
  }
  item.charges.push_back(&charge);
  return true;
}

bool CostCall::add(CostQuestion& question) {
  if (questions_ >= settings_.questions_max) return false;
  item_of(*question.account).questions.push_back({&question, {}});
  ++questions_;
  return true;
}

void CostCall::forget(const CostQuestion& question) {
  for (Asked& asked : items_[question.account->item]->questions) {
    if (asked.question != &question) continue;
    asked.question = nullptr;
    if (question.verb == CostVerb::kHold) asked.hold = question.hold;
  }
}

// ---- the call ----

void CostCall::add_key(std::string_view before, std::string_view name, std::string_view after) {
  text_.append(before).append(name).append(after);
  text_ends_.push_back(text_.size());
}

void CostCall::pack_keys(const Item& item) {
  const std::string account =
      settings_.prefix + "cost:" + item.account->id + ":" + format_month(item.account->month, ':');
  add_key("", account, "");
  if (settings_.layout == CostLayout::kString) add_key("{", account, "}:state");
  bool settles = false;
  for (const CostCharge* charge : item.keyed) {
    add_key("{", account, charge->settles ? "}:settled:" : "}:key:");
    text_.append(charge->key);
    text_ends_.back() = text_.size();
    settles = settles || charge->settles;
  }
  if (settles || !item.questions.empty()) add_key("{", account, "}:holds");
  if (!item.questions.empty()) {
    add_key(settings_.prefix, "budget:", item.account->id);
  }
}

void CostCall::pack_names(const Item& item) {
  for (const CostCharge* charge : item.keyed) {
    if (charge->settles) argument_views_.push_back(charge->key);
  }
  for (const Asked& asked : item.questions) {
    const CostVerb verb = asked.question->verb;
    if (verb != CostVerb::kHold && verb != CostVerb::kCancel) continue;
    const size_t begin = names_.size();
    names_.append(asked.question->hold);
    argument_views_.push_back(std::string_view(names_).substr(begin));
  }
}

void CostCall::put(NanoDollars amount) {
  writer_.number(amount < 0 ? -1 : amount / kNanosPerDollar);
  writer_.number(amount < 0 ? 0 : amount % kNanosPerDollar);
}

void CostCall::pack_item(const Item& item) {
  const Account& account = *item.account;
  writer_.number(month_end_ms(account.month) + kMonthKeptMs);
  writer_.number(int64_t{item.has_charges});
  writer_.number(static_cast<int64_t>(item.questions.size()));
  NanoDollars comes = 0;
  for (const CostCharge* charge : item.charges) {
    if (charge->counts) comes = add_capped(comes, charge->amount);
  }
  if (item.has_charges) {
    const ChargeNumber base = account.mark.value_or(ChargeNumber{});
    writer_.number(int64_t{account.mark.has_value()});
    for (const ChargeNumber& number : {base, item.first, item.last}) {
      writer_.number(static_cast<int64_t>(number.epoch));
      writer_.number(static_cast<int64_t>(number.sequence));
    }
    put(item.plain);
    writer_.number(static_cast<int64_t>(item.keyed.size()));
    for (const CostCharge* charge : item.keyed) {
      put(charge->amount);
      writer_.number(int64_t{charge->settles});
    }
  }
  for (const Asked& asked : item.questions) {
    CostQuestion* const question = asked.question;
    writer_.number(static_cast<int64_t>(question->verb));
    put(question->amount);
    // Charges that were accepted before the question and do not come with this call.
    const NanoDollars there = add_capped(account.applied, comes);
    question->more = question->accepted > there ? question->accepted - there : 0;
    question->less = question->accepted < there ? there - question->accepted : 0;
    // Holds made while the store was away are nowhere else.
    put(add_capped(question->more, account.held));
    put(settings_.default_budget);
    writer_.number(question->expires / kUsPerMs);
  }
}

void CostCall::pack() {
  text_.clear();
  text_ends_.clear();
  argument_views_.clear();
  size_t numbers = kReplyHeadNumbers;
  for (const Item* item : items_) {
    numbers += kReplyItemNumbers + (item->has_charges ? kChargesNumbers : 0) +
               kKeyedNumbers * item->keyed.size() + kQuestionNumbers * item->questions.size();
    pack_keys(*item);
  }
  writer_.begin(numbers);
  writer_.number(static_cast<int64_t>(settings_.layout));
  writer_.number(static_cast<int64_t>(settings_.epoch));
  writer_.number(static_cast<int64_t>(items_.size()));
  for (const Item* item : items_) pack_item(*item);
  argument_views_.push_back(writer_.bytes());
  argument_views_.push_back(field_);
  // No longer than this, so that what points into it stays.
  names_.clear();
  names_.reserve(questions_ * kJournalKeyMax);
  for (const Item* item : items_) pack_names(*item);
  key_views_.clear();
  size_t begin = 0;
  for (const size_t end : text_ends_) {
    key_views_.push_back(std::string_view(text_).substr(begin, end - begin));
    begin = end;
  }
}

// ---- the reply ----

std::expected<std::span<const CostCall::Dealt>, std::string_view> CostCall::deal(
    std::string_view reply) {
  // Twice: nothing is dealt before all of it is read.
  for (const bool now : {false, true}) {
    PackReader reader(reply);
    uint64_t numbers = 0;
    for (const Item* item : items_) {
      numbers += (item->has_charges ? 5 : 0) + 4 + 7 * item->questions.size();
    }
    dealt_.clear();
    late_holds_.clear();
    if (reader.array() != numbers) return std::unexpected(kNotThisCostCall);
    for (const Item* item : items_) {
      if (!read(reader, *item, now)) return std::unexpected(kNotThisCostCall);
    }
    if (reader.failed() || !reader.at_end()) return std::unexpected(kNotThisCostCall);
  }
  // An account's charges are done together.
  for (Dealt& dealt : dealt_) settle(*items_[dealt.account->item], dealt);
  return dealt_;
}

void CostCall::finish(CostCharge& charge) {
  charge.done = true;
  if (!charge.counts) return;
  charge.account->counted = charge.number;
  charge.account->applied += charge.amount;
}

void CostCall::settle(const Item& item, Dealt& dealt) {
  Account& account = *item.account;
  if (dealt.verdict == CostVerdict::kFenced) return;
  const bool lost =
      dealt.verdict == CostVerdict::kOverflow || dealt.verdict == CostVerdict::kPoisoned;
  dealt.forgot =
      dealt.verdict == CostVerdict::kDiffers && account.mark && dealt.mark < *account.mark;
  if (dealt.verdict != CostVerdict::kPoisoned) account.mark = dealt.mark;
  for (CostCharge* charge : item.charges) {
    if (!lost && charge->number > dealt.mark) continue;
    finish(*charge);
    if (lost) dealt.lost = add_capped(dealt.lost, charge->amount);
  }
}

bool CostCall::read(PackReader& reader, const Item& item, bool deal) {
  Account& account = *item.account;
  bool good = true;
  bool whole = true;  // all charges of the call are in the total
  if (item.has_charges) {
    const int64_t code = reader.number(0, static_cast<int64_t>(CostVerdict::kPoisoned));
    const int64_t epoch = reader.number(0, kTimeMaxUs);
    const int64_t sequence = reader.number(0, kTimeMaxUs);
    read_amount(reader);
    if (reader.failed()) return false;
    const auto verdict = static_cast<CostVerdict>(code);
    good = verdict != CostVerdict::kPoisoned;
    whole = verdict == CostVerdict::kApplied || verdict == CostVerdict::kDuplicate;
    dealt_.push_back({.account = &account,
                      .verdict = verdict,
                      .mark = {static_cast<uint64_t>(epoch), static_cast<uint64_t>(sequence)}});
  }
  NanoDollars last_total = read_amount(reader);
  NanoDollars last_held = read_amount(reader);
  for (const Asked& asked : item.questions) {
    CostQuestion* const question = asked.question;
    const int64_t code = reader.number(-1, 1);
    last_total = read_amount(reader);
    last_held = read_amount(reader);
    const NanoDollars budget = read_amount(reader, -1);
    if (reader.failed()) return false;
    if (!deal) continue;
    if (code >= 0) account.budget = budget;
    if (question == nullptr) {
      if (code == 1 && !asked.hold.empty()) late_holds_.push_back({&account, asked.hold});
      continue;
    }
    good = good && code >= 0;
    question->outcome = code < 0    ? CostOutcome::kPoisoned
                        : code == 1 ? CostOutcome::kYes
                                    : CostOutcome::kNo;
    const NanoDollars less = whole ? std::min(question->less, last_total) : 0;
    question->spent = add_capped(last_total - less, question->more);
    question->held = last_held;
    question->budget = budget;
  }
  if (reader.failed()) return false;
  if (deal && good) {
    account.known = true;
    account.total = last_total;
    account.store_held = last_held;
  }
  return true;
}

}  // namespace toll::engine
