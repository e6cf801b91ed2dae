// The store's leases (engine/leases.h): the calls that ask for slices and give back what of them
// was not used, and the shard's note of what was.
//
// Belongs to a worker's Store and runs on the worker's thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "daemon/letter.h"
#include "daemon/statistics.h"
#include "daemon/store_lane.h"
#include "engine/leases.h"
#include "engine/limits.h"
#include "engine/store_request.h"

namespace toll::daemon {

class StoreLeasesOwner {
 public:
  // Sends the request with what waits. False: there is no room; the request is still the caller's.
  // Nobody waits for its answer until `leave_ns`, or hurry().
  virtual bool put_lease(engine::StoreRequest& request, const engine::KeyHash& key,
                         int64_t leave_ns) = 0;
  // Somebody waits for an answer to what was put for that key.
  virtual void hurry(const engine::KeyHash& key) = 0;
  virtual engine::TimeUs now() = 0;  // the monotonic clock
  virtual WorkerCounters& counters() = 0;
  // A question that waited for a slice: its answer is filled in; there was no slice; or it is not
  // known whether there is one, and its time may be up.
  virtual void answered_from_slice(Ask& ask) = 0;
  virtual void ask_exactly(Ask& ask) = 0;
  virtual void answer_without_slice(Ask& ask) = 0;
  // Units of a key came back that others may have been refused for.
  virtual void units_came_back(const engine::Operation& operation, std::string_view id) = 0;
  // The shard is to count what was used.
  virtual void note_used(const engine::Operation& operation) = 0;

 protected:
  ~StoreLeasesOwner() = default;
};

class StoreLeases final : private engine::Leases::Owner {
 public:
  StoreLeases(StoreLeasesOwner& owner, size_t bytes) : owner_(owner), leases_(*this, bytes) {}

  void adopt(const engine::PolicyTable& table) { leases_.adopt(table); }
  void share_with(uint32_t hosts) { leases_.share_with(hosts); }

  bool leases(const engine::Operation& operation) const {
    return operation.verb == engine::Verb::kCheck && leases_.leases(operation.policy);
  }
  // What take() will look at, of all these.
  void prefetch(std::span<Ask* const> asks) const;

  enum class Taken : uint8_t {
    kNo,
    kFromSlice,  // its answer is filled in
    kWaits       // for a slice: it comes back by one of the owner's functions
  };
  // REQUIRES: leases(ask.operation). `may_ask`: the store is there.
  Taken take(Ask& ask, bool may_ask);
  void decided(const engine::Operation& operation);
  // What is set aside for that key is no more.
  void drop(const engine::Operation& operation);

  // A request of ours came back.
  void returned(engine::StoreRequest& request, const StoreFlightInfo& flight);

  void age() { leases_.age(owner_.now()); }
  // When to, a little after the first end: what ends by then goes back together.
  engine::TimeUs next_age() const;
  // Everything goes back, and nothing more is asked for.
  void give_all_back() { leases_.give_all_back(); }
  int64_t units_held() const { return leases_.units_held(); }

 private:
  // One that asks for a slice, or one that gives back.
  struct Call : Letter {
    Call() : Letter(LetterKind::kLease) {}
    engine::StoreRequest store;
    engine::Operation operation;
    std::string_view id;
    uint32_t number = 0;  // its place in calls_
    uint32_t serial = 0;
    bool scarce = false;
    // Questions that wait for the slice, by the links that the store has in them.
    engine::StoreRequest* first = nullptr;
    engine::StoreRequest* last = nullptr;
    Call* next = nullptr;  // of those that are free
    std::array<char, engine::kIdMax> bytes;
  };

  void give_back(const engine::Leases::Return& what) override;
  void lapsed(int64_t units) override;
  void used(const engine::KeyHash& key, uint16_t policy, int64_t units) override;

  Call* free_call();  // null: there are as many as may be
  void begin(Call& call, const engine::KeyHash& key, uint16_t policy, std::string_view id);
  bool ask_for(Call& call, const Ask& ask, const engine::Leases::Taken& taken);
  // Others have so long to go along.
  bool send(Call& call, int64_t wait_ns);
  void free(Call& call);
  void wait(Call& call, Ask& ask);
  void answered(Call& call, const StoreFlightInfo& flight);

  StoreLeasesOwner& owner_;
  engine::Leases leases_;
  std::vector<std::unique_ptr<Call>> calls_;
  Call* free_ = nullptr;
};

}  // namespace toll::daemon
