// What is behind a Shard: deciding single operations (shard.cc), groups (shard_group.cc), and
// fitting keys to reloaded policies (shard_refit.cc). Internal to the shard; its thread alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/key_table.h"
#include "engine/limit_set.h"
#include "engine/rule_book.h"
#include "engine/shard.h"

namespace toll::engine {

// Whether the operation makes sense for policies of that algorithm.
bool goes_with(Verb verb, Algorithm algorithm);

class Shard::Impl {
 public:
  Impl(Settings settings, ShardStats& stats);

  void adopt(const PolicyTable& table, uint32_t hosts) { rule_book_.adopt(table, hosts); }
  void decide(std::span<Operation* const> batch, TimeUs now);
  bool decide_together(std::span<Operation> group, TimeUs now);
  void sweep(TimeUs now, size_t keys_max) { keys_.sweep(now, keys_max); }
  void count() { keys_.count(); }

 private:
  // An operation of a group; those on the same key stand together, in the order of the group.
  struct Member {
    KeyHash key;
    uint32_t position;  // in the group
    BlockHandle block;  // kNoBlock: the key is not there. Known of a key's first member only,
    bool created;       // as is whether it was created for this group
  };

  // shard.cc
  void decide_one(Operation& op, TimeUs now);
  void decide_by(const Rules& rules, Operation& op, TimeUs now);
  template <typename Set>
  void admit(Set& set, const Rules& rules, Operation& op, BlockHandle block, TimeUs now);
  template <typename Set>
  void use(Set& set, const Rules& rules, Operation& op, BlockHandle block, TimeUs now);
  template <typename Set>
  void note(Set& set, const Rules& rules, Operation& op, BlockHandle block, TimeUs now);
  // The key's block, created if `block` is none, with room for what charging `set` hangs from it.
  // kNoBlock: no memory for that.
  template <typename Set>
  BlockHandle make_ready(const Set& set, const Rules& rules, const Operation& op, BlockHandle block,
                         TimeUs now);
  template <typename Set>
  void give_back(Set& set, Operation& op, BlockHandle block, TimeUs now);
  void reset(const Rules& rules, Operation& op, TimeUs now);
  void refuse_for_memory(Operation& op);
  // Reserves `blocks` for what will hang from a key, which is held meanwhile.
  bool make_room_beside(const KeyHash& key, BlockHandle block, size_t blocks, TimeUs now);

  // shard_group.cc
  bool gather(std::span<Operation> group, TimeUs now);
  bool ask(std::span<Operation> group, std::span<Member> same_key, TimeUs now);
  bool hold_all(std::span<Operation> group, TimeUs now);
  bool hold(std::span<Operation> group, std::span<Member> same_key, TimeUs now);
  void let_go(bool keep_created);
  void charge(std::span<Operation> group, std::span<const Member> same_key, TimeUs now);
  // Calls each(members of one key) for all keys of the group, while it returns true.
  template <typename Each>
  bool for_each_key(Each&& each);

  // shard_refit.cc. Makes the key's states those of `rules`. False: no memory for that.
  bool refit(const KeyHash& key, BlockHandle block, const Rules& rules, TimeUs now);
  // REQUIRES: the key was made under rules of this policy.
  bool fit(const KeyHash& key, BlockHandle block, const Rules& rules, TimeUs now) {
    return keys_.header(block).revision == rules.revision || refit(key, block, rules, now);
  }

  // What is noted in a key after it was used, and after it was refused.
  template <typename Set>
  static void note_use(KeyHeader& key, const Set& set, const Answer& answer, TimeUs now) {
    key.touched_s = whole_seconds(now);
    key.refused_until_s = answer.remaining > 0 ? 0 : seconds_until(now, set.wait_for_one_us());
  }
  static void note_refusal(KeyHeader& key, const Answer& answer, TimeUs now) {
    key.touched_s = whole_seconds(now);
    // A request that can never be admitted says nothing of how much this client used.
    if (answer.retry_us == kNever) return;
    key.refused_until_s = std::max(key.refused_until_s, seconds_until(now, answer.retry_us));
  }

  ShardStats& stats_;
  RuleBook rule_book_;
  KeyTable keys_;
  std::vector<Member> members_;  // of the group being decided; kept for its memory
};

}  // namespace toll::engine
