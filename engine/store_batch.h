// One call of lua/limits.lua: many requests as keys and one packed argument, and its reply dealt
// out.
//
// Equal checks of one key are merged into one item, each key is named once, and every operation of
// the batch is decided in the order in which it was added, by one reading of Redis' clock. The
// script admits or refuses and says what each key held before the item; what that means to a client
// (remaining, retry, reset) is worked out here, by the same functions that the shard uses. So what
// is told does not depend on who decided.
//
// The format is described at the head of lua/limits.lua. Belongs to a worker; its memory is reused
// from batch to batch, so steady traffic allocates nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/key_name.h"
#include "engine/policy.h"
#include "engine/store_request.h"
#include "engine/store_script.h"
#include "engine/types.h"

namespace toll::engine {

// How the policies of one table are asked for in the store: names of keys and packed limits.
// Immutable; each worker makes its own anew with each reload, and batches under way keep theirs.
class StoreRules {
 public:
  StoreRules(std::shared_ptr<const PolicyTable> table, std::string_view prefix);
  ~StoreRules();

  const PolicyTable& table() const { return *table_; }
  const KeyNames& names(uint16_t policy) const;  // kThrottlePolicy too
  // The policy's limits as they travel. REQUIRES: it is active.
  std::span<const RuleNumbers> numbers(uint16_t policy) const;

 private:
  std::shared_ptr<const PolicyTable> table_;
  std::vector<KeyNames> names_;                    // by policy id, then CL.THROTTLE's
  std::vector<std::vector<RuleNumbers>> numbers_;  // by policy id
};

class StoreRenewals;

class StoreBatch {
 public:
  struct Settings {
    size_t requests_max = 1024;
    size_t operations_max = 2048;
    size_t bytes_max = size_t{256} << 10;  // of names; one request always fits an empty batch
    size_t quick_max = 1000;  // items that travel on the script's quick road; at most 1000
  };

  // Batches of one queue share what they know of renewals; null: this one's own.
  explicit StoreBatch(const Settings& settings, std::shared_ptr<StoreRenewals> renewals = nullptr);
  ~StoreBatch();
  StoreBatch(const StoreBatch&) = delete;
  StoreBatch& operator=(const StoreBatch&) = delete;

  // Empties it, for requests under these rules.
  void clear(std::shared_ptr<const StoreRules> rules);

  enum class Added : uint8_t {
    kTaken,
    kFull,      // nothing was taken; send what there is first
    kNoPolicy,  // the operation's outcome says so; nothing to ask
    kUnfit,     // likewise: the verb does not go with the policy's algorithm, or not with others in
                // one request, or two policies of a group have one key in the store
  };
  // Takes a request in. `store_now` is what the store's clock is thought to say, for knowing when a
  // sliding log's expiry is to be renewed. A request of no policy, or of a verb that does not go
  // with the policy, is not taken: its operations' outcomes say so. Keys are one rule's alone in a
  // batch: a request that asks for a key under another (policies with one `key` template) finds it
  // full.
  Added add(StoreRequest& request, TimeUs store_now);

  bool empty() const { return requests_.empty(); }
  // What the script decides: equal checks are one.
  size_t items() const;

  // What was taken, in order; null where abandoned.
  std::span<StoreRequest* const> requests() const { return requests_; }
  // The request is answered otherwise and must not be touched any more. The store decides it all
  // the same.
  void abandon(size_t index) { requests_[index] = nullptr; }

  // The call: EVALSHA sha keys().size() keys... arguments... Good until clear().
  void pack();  // once, after the last add() and before these
  std::span<const std::string_view> keys() const;
  std::span<const std::string_view> arguments() const;  // the packed items, then the tickets

  // Deals the script's reply out: outcome, answer and result of each request that was not
  // abandoned. Returns the store's time of the decision. Error: the reply is not one to this call;
  // nothing was dealt.
  std::expected<TimeUs, std::string_view> deal(std::string_view reply);

 private:
  struct State;
  std::vector<StoreRequest*> requests_;
  std::unique_ptr<State> state_;
};

}  // namespace toll::engine
