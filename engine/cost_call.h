// One call of lua/costs.lua: charges that are journaled, and questions about accounts, formed as
// what EVALSHA takes, and its reply dealt out. The format is described at the head of the script.
//
//   begin() ─▶ add(charge) ... in the journal's order ─▶ add(question) ... ─▶ pack() ─▶ deal()
//
// Charges of one account become one operation, which the store applies once: it names the number of
// the last charge of ours that it must find there, and leaves the number of the last one it adds.
//
// Belongs to a worker. No I/O, no clock. Keeps its memory from call to call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/journal_record.h"
#include "engine/ledger.h"
#include "engine/store_pack.h"

namespace toll::engine {

// How accounts are kept in the store: costs.layout.
enum class CostLayout : uint8_t { kHash, kString };

constexpr std::string_view to_string(CostLayout layout) {
  return layout == CostLayout::kHash ? "hash" : "string";
}

// As the script numbers them.
enum class CostVerb : uint8_t { kGet, kCheck, kHold, kCancel, kBudgetSet, kBudgetClear };

// A charge on its way to the store. `account` and what `key` points to stay while it is.
struct CostCharge {
  Account* account = nullptr;
  ChargeNumber number;
  NanoDollars amount = 0;
  std::string_view key = {};  // the idempotency key, or the hold that is settled; "" is none
  bool settles = false;
  bool counts = true;  // in Account::applied, once it is done
  bool done = false;   // the store has it, or never will
};

enum class CostOutcome : uint8_t { kNo, kYes, kPoisoned };

// Belongs to who asks; stays where it is until it was dealt with.
struct CostQuestion {
  CostVerb verb = CostVerb::kGet;
  Account* account = nullptr;
  NanoDollars amount = 0;      // kBudgetSet: may be kNoBudget
  NanoDollars accepted = 0;    // Account::accepted when it was asked: those charges count
  NanoDollars more = 0;        // ... and of them those that come later; the call's
  NanoDollars less = 0;        // those that come with the call, but were accepted later; likewise
  TimeUs expires = 0;          // of the hold
  std::string_view hold = {};  // its name

  CostOutcome outcome = CostOutcome::kNo;
  NanoDollars spent = 0;
  NanoDollars held = 0;
  NanoDollars budget = kNoBudget;
};

// What became of an account's charges: the script's codes.
enum class CostVerdict : uint8_t { kApplied, kDuplicate, kDiffers, kFenced, kOverflow, kPoisoned };

class CostCall {
 public:
  struct Settings {
    CostLayout layout = CostLayout::kHash;
    std::string prefix;
    NodeId node = {};
    uint64_t epoch = 0;  // of this start
    NanoDollars default_budget = kNoBudget;
    size_t accounts_max = 512;  // of one call
    size_t keyed_max = 1024;    // charges with a key
    size_t questions_max = 1024;
  };

  // What the reply said of one account's charges.
  struct Dealt {
    Account* account = nullptr;
    CostVerdict verdict = CostVerdict::kApplied;
    ChargeNumber mark;     // that stands there now
    bool forgot = false;   // the store had a later one
    NanoDollars lost = 0;  // kOverflow, kPoisoned: what could not be added, and is given up
  };

  explicit CostCall(Settings settings);

  void begin();
  // A charge that the store is known to have is done at once. False: the call is full. What follows
  // of that account must not be added either.
  bool add(CostCharge& charge);
  bool add(CostQuestion& question);
  bool empty() const { return items_.empty(); }

  void pack();
  std::span<const std::string_view> keys() const { return key_views_; }
  std::span<const std::string_view> arguments() const { return argument_views_; }

  // Fills in questions and accounts (totals, holds, marks, budgets), and marks the charges that are
  // done and counts them. Those of an account that kDiffers and are not done are to be sent again,
  // from its new mark on. Error: the reply is not one to this call; nothing was changed.
  std::expected<std::span<const Dealt>, std::string_view> deal(std::string_view reply);
  // The question was answered otherwise, and may go.
  void forget(const CostQuestion& question);
  // Holds of such questions that the store has made all the same; of the last deal().
  struct LateHold {
    Account* account = nullptr;
    std::string name;
  };
  std::span<const LateHold> late_holds() const { return late_holds_; }
  // Calls `each` with the account and the name of every hold that the call asks for.
  template <class Each>
  void for_each_hold(Each&& each) const {
    for (const Item* item : items_) {
      for (const Asked& asked : item->questions) {
        if (asked.question == nullptr && !asked.hold.empty()) each(*item->account, asked.hold);
        if (asked.question == nullptr || asked.question->verb != CostVerb::kHold) continue;
        each(*item->account, asked.question->hold);
      }
    }
  }

  // The key of a daemon's claim to its epoch (lua/epoch.lua).
  static std::string epoch_key(std::string_view prefix, const NodeId& node);

 private:
  struct Asked {
    CostQuestion* question = nullptr;  // null: it was forgotten
    std::string hold;                  // that it asked for then
  };
  struct Item {
    Account* account = nullptr;
    bool has_charges = false;
    ChargeNumber first;
    ChargeNumber last;
    NanoDollars plain = 0;
    std::vector<CostCharge*> charges;
    std::vector<CostCharge*> keyed;
    std::vector<Asked> questions;
    void clear();
  };
  Item& item_of(Account& account);
  void add_key(std::string_view before, std::string_view name, std::string_view after);
  void pack_keys(const Item& item);
  void pack_names(const Item& item);
  void pack_item(const Item& item);
  void put(NanoDollars amount);
  bool read(PackReader& reader, const Item& item, bool deal);
  static void settle(const Item& item, Dealt& dealt);
  static void finish(CostCharge& charge);

  Settings settings_;
  std::string field_;
  std::vector<Item> all_items_;  // items_ is those in use
  std::vector<Item*> items_;
  std::vector<Dealt> dealt_;
  std::vector<LateHold> late_holds_;
  size_t keyed_ = 0;
  size_t questions_ = 0;
  PackWriter writer_;
  std::string text_;  // of the keys
  std::vector<size_t> text_ends_;
  std::vector<std::string_view> key_views_;
  std::string names_;  // of holds that questions name, who may be gone before the reply
  std::vector<std::string_view> argument_views_;
};

}  // namespace toll::engine
