#include "engine/ledger.h"

#include <cassert>
#include <functional>
#include <utility>

namespace toll::engine {
namespace {

// How many accounts are looked at for one that can go.
constexpr size_t kLookedAtMax = 64;

}  // namespace

Account* Ledger::find(const KeyHash& key, std::string_view id, Month month) {
  const auto found = by_place_.find(Place{key.rest, key.tag, month});
  if (found == by_place_.end()) return nullptr;
  Account& account = *found->second;
  // 96 bits of a keyed hash: for all that happens, equal.
  assert(account.id == id);
  if (account.id != id) return nullptr;
  account.last_used = ++uses_;
  return &account;
}

Account* Ledger::find_or_add(const KeyHash& key, std::string_view id, Month month,
                             bool keep_totals) {
  if (Account* found = find(key, id, month)) return found;
  if (accounts_.size() >= accounts_max_ && !make_room(keep_totals)) return nullptr;
  return &add(key, id, month);
}

Account& Ledger::must_find_or_add(const KeyHash& key, std::string_view id, Month month) {
  Account* found = find(key, id, month);
  return found != nullptr ? *found : add(key, id, month);
}

Account& Ledger::add(const KeyHash& key, std::string_view id, Month month) {
  auto& slot = by_place_[Place{key.rest, key.tag, month}];
  slot = std::make_unique<Account>();
  slot->id = id;
  slot->key = key;
  slot->month = month;
  slot->last_used = ++uses_;
  slot->place = static_cast<uint32_t>(accounts_.size());
  accounts_.push_back(slot.get());
  return *slot;
}

// The one that was not used for longest among the next few.
bool Ledger::make_room(bool keep_totals) {
  size_t oldest = SIZE_MAX;
  for (size_t looked = 0; looked < std::min(kLookedAtMax, accounts_.size()); ++looked) {
    if (++hand_ >= accounts_.size()) hand_ = 0;
    const Account& account = *accounts_[hand_];
    const bool idle = account.users == 0 && account.pending() == 0 && account.holds.empty() &&
                      (!keep_totals || (account.total == 0 && account.accepted == 0 &&
                                        account.budget == kDefaultBudget));
    if (!idle) continue;
    if (oldest == SIZE_MAX || account.last_used < accounts_[oldest]->last_used) oldest = hand_;
  }
  if (oldest == SIZE_MAX) return false;
  remove(oldest);
  return true;
}

void Ledger::remove(size_t place) {
  const Account& account = *accounts_[place];
  const Place key{account.key.rest, account.key.tag, account.month};
  accounts_[place] = accounts_.back();
  accounts_[place]->place = static_cast<uint32_t>(place);
  accounts_.pop_back();
  by_place_.erase(key);
}

bool Ledger::accept(Account& account, NanoDollars amount) {
  assert(amount >= 0);
  if (amount > kDollarsMax - account.spent() || amount > kDollarsMax - account.accepted) {
    return false;
  }
  account.accepted += amount;
  return true;
}

// ---- holds ----

void Ledger::hold(Account& account, std::string_view name, NanoDollars amount, TimeUs expires) {
  const auto [at, added] = account.holds.try_emplace(std::string(name), Hold{amount, expires});
  if (!added) return;
  if (amount > kDollarsMax - account.held) {
    account.holds.erase(at);
    return;
  }
  account.held += amount;
  lapses_.push(
      {expires, Place{account.key.rest, account.key.tag, account.month}, std::string(name)});
}

std::optional<NanoDollars> Ledger::release(Account& account, const std::string& name) {
  const auto found = account.holds.find(name);
  if (found == account.holds.end()) return std::nullopt;
  const NanoDollars amount = found->second.amount;
  account.held -= amount;
  account.holds.erase(found);
  return amount;
}

void Ledger::lapse(TimeUs now) {
  while (!lapses_.empty() && lapses_.top().expires <= now) {
    const Lapse& next = lapses_.top();
    const auto found = by_place_.find(next.account);
    if (found != by_place_.end()) release(*found->second, next.name);
    lapses_.pop();
  }
}

}  // namespace toll::engine
