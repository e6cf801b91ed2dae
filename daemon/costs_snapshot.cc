// Snapshots of a worker's accounts, where the journal is the only store: every account, hold and
// idempotency key is written down anew, a part at a time, and what lies before the beginning of
// that is needed no more.

#include <algorithm>
#include <string>
#include <string_view>

#include "daemon/costs.h"
#include "daemon/worker.h"

namespace toll::daemon {
namespace {

using engine::Account;
using engine::RecordKind;

// One begins when so much was written since the last, or this part of costs.journal_max.
constexpr uint64_t kEveryBytes = uint64_t{64} << 20;
constexpr uint64_t kPartOfMax = 8;

// Accounts and keys in one turn.
constexpr size_t kAtOnce = 1024;

}  // namespace

void Costs::snapshot() {
  if (link_ != nullptr || committing_ || !filling_->frame.empty()) return;
  if (!snapshot_.under_way) {
    const uint64_t written = treasury_.journal().written.load();
    const auto max = static_cast<uint64_t>(treasury_.settings().journal_max_bytes);
    if (written - snapshot_.written < std::min(kEveryBytes, max / kPartOfMax)) return;
    snapshot_ = {.under_way = true,
                 .account = book_.ledger.size(),
                 .key = book_.keys.first(),
                 .written = written,
                 .holder = nullptr,
                 .holds = {},
                 .from = last_.segment != 0 ? last_ : treasury_.end_at_start()};
  }
  size_t room = kAtOnce;
  const auto may_add = [&] { return room-- > 0 && filling_->frame.has_room(); };
  // Backwards: an account that goes leaves its place to the last one, which had its turn.
  snapshot_.account = std::min(snapshot_.account, book_.ledger.size());
  while (snapshot_.holder != nullptr || snapshot_.account > 0) {
    if (!may_add()) return;
    if (snapshot_.holder != nullptr) {
      add_hold();
    } else {
      add_account(book_.ledger.at(--snapshot_.account));
    }
  }
  snapshot_.key = std::max(snapshot_.key, book_.keys.first());
  while (snapshot_.key < book_.keys.end()) {
    if (!may_add()) return;
    add_key(snapshot_.key);
    ++snapshot_.key;
  }
  snapshot_.under_way = false;
  // With nothing to write down there is nothing to wait for.
  (filling_->frame.empty() ? floor_ : next_floor_) = snapshot_.from;
}

void Costs::give_up_snapshot() {
  if (snapshot_.holder != nullptr) --snapshot_.holder->users;
  snapshot_ = {.under_way = false, .written = snapshot_.written, .holds = {}, .from = {}};
}

void Costs::add_account(Account& account) {
  const int64_t end_ms = engine::month_end_ms(account.month);
  if (account.month == 0) {
    filling_->frame.add({.kind = RecordKind::kBudget,
                         .amount = account.budget,
                         .time = now(),
                         .id = account.id,
                         .key = {}});
    return;
  }
  if (end_ms + engine::kMonthKeptMs <= now() / engine::kUsPerMs) return;
  filling_->frame.add({.kind = RecordKind::kTotal,
                       .amount = account.spent(),
                       .time = now(),
                       .extra = account.month,
                       .id = account.id,
                       .key = {}});
  for (const auto& [name, hold] : account.holds) snapshot_.holds.push_back(name);
  if (snapshot_.holds.empty()) return;
  snapshot_.holder = &account;
  ++account.users;
}

// One of those that the account had when its turn came; it may have ended since.
void Costs::add_hold() {
  Account& account = *snapshot_.holder;
  const auto found = account.holds.find(snapshot_.holds.back());
  if (found != account.holds.end()) {
    const int64_t end_us = engine::month_end_ms(account.month) * engine::kUsPerMs;
    filling_->frame.add({.kind = RecordKind::kHold,
                         .amount = found->second.amount,
                         .time = std::min(now(), end_us - 1),
                         .extra = found->second.expires,
                         .id = account.id,
                         .key = found->first});
  }
  snapshot_.holds.pop_back();
  if (!snapshot_.holds.empty()) return;
  --account.users;
  snapshot_.holder = nullptr;
}

void Costs::add_key(uint64_t number) {
  const engine::ChargeKeys::Used& used = book_.keys.at(number);
  const auto answered = book_.keys.find(used.key);
  if (!answered) return;
  const ChargeKeyParts parts = parts_of(used.text);
  filling_->frame.add({.kind = RecordKind::kKey,
                       .amount = *answered,
                       .time = used.at,
                       .extra = parts.settles ? 1 : 0,
                       .id = parts.id,
                       .key = parts.text});
}

}  // namespace toll::daemon
