// What a worker knows of the accounts that are its own: an account is one id's month.
//
// Where there is a store, it holds the totals, and the ledger what the store last said of them,
// what was accepted since and is not applied there yet, and the holds that were made while it was
// away. Where there is none, the ledger holds all of it and the journal keeps it.
//
//   spent = total + accepted - applied        held = store_held + holds kept here
//
// Amounts are never negative and sums never pass kDollarsMax: what would is refused.
//
// Belongs to a worker. No I/O, no clock. Grows by an allocation for each new account, up to a
// bound; what is idle then makes room.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/key_hash.h"
#include "engine/money.h"
#include "engine/types.h"

namespace toll::engine {

// A daemon's charges are numbered: by the epoch of its start, then by the worker's count. A key in
// the store keeps the last one that was applied to it.
struct ChargeNumber {
  uint64_t epoch = 0;
  uint64_t sequence = 0;
  auto operator<=>(const ChargeNumber&) const = default;
};

struct Hold {
  NanoDollars amount = 0;
  TimeUs expires = 0;
};

struct Account {
  std::string id;
  KeyHash key;
  Month month = 0;
  bool known = false;          // the store has told its total
  NanoDollars total = 0;       // there, as last told; without a store: all that was charged
  NanoDollars accepted = 0;    // charges taken here, ever
  NanoDollars applied = 0;     // ... of them, in the store
  NanoDollars store_held = 0;  // as last told
  NanoDollars held = 0;        // the sum of `holds`
  NanoDollars budget = kDefaultBudget;  // the id's own, as last told
  std::optional<ChargeNumber> mark;     // the last charge of ours that the store has, if known
  ChargeNumber counted;                 // the last one that `applied` counts
  std::unordered_map<std::string, Hold> holds;  // kept here, by their name
  uint32_t users = 0;                           // who holds on to it
  uint32_t place = 0;                           // the ledger's
  uint32_t item = UINT32_MAX;                   // CostCall's, while it is in one
  uint64_t last_used = 0;

  NanoDollars pending() const { return accepted > applied ? accepted - applied : 0; }
  NanoDollars spent() const { return add_capped(total, pending()); }
  NanoDollars all_held() const { return add_capped(store_held, held); }
};

class Ledger {
 public:
  // At most `accounts_max`.
  explicit Ledger(size_t accounts_max) : accounts_max_(accounts_max) {}

  Account* find(const KeyHash& key, std::string_view id, Month month);
  // Null: there is no room. An account that nobody uses and that holds nothing of its own may be
  // dropped by this: `keep_totals` says that totals are nowhere else.
  Account* find_or_add(const KeyHash& key, std::string_view id, Month month, bool keep_totals);
  // Whatever the bound says: for what was accepted before.
  Account& must_find_or_add(const KeyHash& key, std::string_view id, Month month);

  // Takes a charge on. False: the sum would pass kDollarsMax, nothing was changed.
  [[nodiscard]] static bool accept(Account& account, NanoDollars amount);
  // Takes it back, because it could not be kept.
  static void refuse(Account& account, NanoDollars amount) { account.accepted -= amount; }

  // Sets an amount aside until `expires`. A second one of the same name changes nothing.
  void hold(Account& account, std::string_view name, NanoDollars amount, TimeUs expires);
  // Ends a hold; the amount that was held, nullopt: it is not here (any more).
  static std::optional<NanoDollars> release(Account& account, const std::string& name);
  // Ends those whose time has come.
  void lapse(TimeUs now);

  // In some order, for snapshots. New ones come last; the last takes the place of one that goes.
  size_t size() const { return accounts_.size(); }
  Account& at(size_t place) { return *accounts_[place]; }

 private:
  struct Place {
    uint64_t rest;
    uint32_t tag;
    Month month;
    bool operator==(const Place&) const = default;
  };
  struct PlaceHash {
    size_t operator()(const Place& place) const {
      return place.rest ^ (uint64_t{place.tag} << 32) ^ static_cast<uint64_t>(place.month);
    }
  };
  struct Lapse {
    TimeUs expires;
    Place account;
    std::string name;
    bool operator>(const Lapse& other) const { return expires > other.expires; }
  };

  Account& add(const KeyHash& key, std::string_view id, Month month);
  bool make_room(bool keep_totals);
  void remove(size_t place);

  size_t accounts_max_;
  uint64_t uses_ = 0;
  size_t hand_ = 0;  // where looking for idle ones goes on
  std::unordered_map<Place, std::unique_ptr<Account>, PlaceHash> by_place_;
  std::vector<Account*> accounts_;
  std::priority_queue<Lapse, std::vector<Lapse>, std::greater<>> lapses_;
};

}  // namespace toll::engine
