// What a StoreBatch is made of: the items of the call and who is answered by them. How requests
// become items is in store_batch.cc, how items travel and their answers are dealt in store_call.cc.
//
//   request ─▶ operations ─▶ slots ──┐ answered by
//                              items ─▶ claims (one per policy and id) ─▶ parts (one per limit's
//                              key)
//
// Internal to the store's side; its worker's thread alone. Every vector keeps its memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/store_batch.h"
#include "engine/store_describe.h"
#include "engine/store_keys.h"
#include "engine/store_pack.h"
#include "engine/store_renewals.h"

namespace toll::engine {

struct StoreBatch::State {
  // One limit's key, in a claim.
  struct Part {
    uint32_t rule = 0;
    uint32_t key = 0;  // the place in `keys`
    int64_t a = 0;
    int64_t b = 0;
    int64_t c = 0;
  };
  struct Item {
    ScriptVerb verb = ScriptVerb::kCheck;
    bool merges = false;  // a check by itself, as often as `times`
    uint32_t times = 1;
    uint32_t first_part = 0;
    uint32_t parts = 0;
    uint32_t first_claim = 0;
    uint32_t claims = 0;
  };

  explicit State(const Settings& with) : settings(with) {}

  // store_batch.cc
  void clear(std::shared_ptr<const StoreRules> with);
  Outcome fault_of(const Operation& op, bool alone) const;  // kDone: none
  // Whether there is room for one more request. REQUIRES: no fault.
  bool fits(const StoreRequest& request, size_t taken) const;
  // Takes a request in, as the batch's next. False: one of its keys is under another rule here.
  bool take(const StoreRequest& request, uint32_t number);
  uint32_t rules_of(const Operation& op);  // the first of them
  uint32_t throttle_rule(const Limit& limit);
  uint32_t add_rule(const Limit& limit, const RuleNumbers& rule, bool is_shared);
  // Fills `found` with the parts of the operation, units aside. False: as take().
  bool find_keys(const Operation& op, std::string_view id);
  bool take_single(const StoreRequest& request, uint32_t slot);
  bool take_group(const StoreRequest& request, uint32_t first_slot);
  bool take_apart(const StoreRequest& request, uint32_t first_slot);  // a flaw
  bool merge(const Operation& op, uint32_t slot);
  // Add to the item that is the next.
  void add_claim(Item& item, const Operation& op, uint32_t slot);
  StoreClaim* claim_on_found(const Item& item);  // or null
  void set_units(StoreClaim& claim, int64_t units);
  void set_c(const StoreClaim& claim, int64_t c);  // of all its parts
  void add_slot(StoreClaim& claim, uint32_t slot);
  int64_t add_ticket(uint64_t ticket);  // returns its place in ARGV

  // store_call.cc
  void pack();
  bool is_quick(const Item& item) const;
  size_t sort_items();  // returns how many are quick
  void pack_quick_item(const Item& item);
  void pack_item(const Item& item);
  std::expected<TimeUs, std::string_view> read(std::string_view reply);
  bool pass_over(const Item& item, PackReader& reader);
  bool read_item(const Item& item, int64_t code, TimeUs now, PackReader& reader);
  void hand_out(std::span<StoreRequest* const> requests) const;

  Settings settings;
  std::shared_ptr<const StoreRules> rules;
  TimeUs store_now = 0;

  // The rules of this batch, each policy's side by side.
  std::vector<RuleNumbers> numbers;
  std::vector<Limit> limits;
  std::vector<bool> shared;              // others may write these keys too, and set shorter TTLs
  std::vector<uint32_t> rule_of_policy;  // by policy id: the first, or kNoRule
  std::vector<uint16_t> policies;        // that have rules here
  std::vector<uint32_t> throttle_rules;

  StoreKeys keys;
  std::vector<Part> found;  // by find_keys()
  std::vector<Item> items;
  std::vector<uint32_t> order;  // in which items travel: the quick ones first
  std::vector<StoreClaim> claims;
  std::vector<Part> parts;
  std::vector<StoreSlot> slots;
  std::string tickets;  // their texts, one behind the other
  std::vector<uint32_t> ticket_ends;

  PackWriter writer;
  std::vector<std::string_view> arguments;
  size_t reply_numbers = 0;
  std::shared_ptr<StoreRenewals> renewals;
  std::vector<uint32_t> renewed;  // places of keys, for when the whole reply is believed
};

inline constexpr uint32_t kNoRule = UINT32_MAX;

}  // namespace toll::engine
