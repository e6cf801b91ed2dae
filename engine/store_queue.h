// What waits for the store and what is under way to it, over one link.
//
//   put ──▶ waiting ──start()──▶ flight ──settle()──▶ answered
//              │                    │                     ▲
//              └────── expire(), lose() ──────────────────┘
//
// Batching is natural: while as many batches are under way as may be, requests collect; when one
// comes back, all that collected leaves as the next. Requests leave in the order in which they were
// put; one that nobody waits for leaves with the next one that somebody does, or a little later. A
// request whose deadline passes comes back unanswered, wherever it is; what the store then still
// says about it is let go.
//
// Belongs to a worker. Bounded, and its memory is kept: steady traffic allocates nothing. No I/O,
// no clock: times are the caller's monotonic nanoseconds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/store_batch.h"
#include "engine/store_request.h"
#include "engine/types.h"

namespace toll::engine {

class StoreQueue {
 public:
  struct Settings {
    size_t waiting_max = 16'384;  // requests
    size_t flights_max = 2;       // batches under way
    size_t crowd = 64;            // so many are worth a batch, though nobody waits for them
    StoreBatch::Settings batch = {};
  };

  // A batch under way. The owner's to read between start() and settle() or lose().
  struct Flight {
    Flight(const StoreBatch::Settings& settings, std::shared_ptr<StoreRenewals> renewals)
        : batch(settings, std::move(renewals)) {}
    StoreBatch batch;
    size_t index = 0;  // of this flight, below flights_max
    int64_t sent_ns = 0;
    int64_t first_deadline_ns = INT64_MAX;
    bool out = false;
  };

  explicit StoreQueue(const Settings& settings);
  StoreQueue(const StoreQueue&) = delete;
  StoreQueue& operator=(const StoreQueue&) = delete;

  // From now on batches are formed by these rules. To be called before the first start().
  void adopt(std::shared_ptr<const StoreRules> rules) { rules_ = std::move(rules); }

  // False: there are as many waiting as may; the request is still the caller's. Until `leave_ns`
  // nobody waits for it, and it may wait for others to go along.
  [[nodiscard]] bool put(StoreRequest& request, int64_t leave_ns = 0);

  size_t waiting() const { return waiting_count_; }
  size_t flights() const { return flights_out_; }
  bool may_start() const { return waiting_count_ > 0 && flights_out_ < flights_.size(); }
  // When it should: at once, unless nobody waits for any of them. INT64_MAX: it may not.
  int64_t leave_ns() const { return may_start() ? leave_ns_ : INT64_MAX; }
  // Somebody waits for one of them now.
  void hurry() {
    if (waiting_count_ > 0) leave_ns_ = 0;
  }

  // Forms a batch of what waits, of at most `requests_max`, and takes it for sent. Requests that
  // the store need not be asked (no such policy, an unfit verb) are answered by the way. Null:
  // nothing is left to send. REQUIRES: may_start().
  Flight* start(int64_t now_ns, TimeUs store_now, size_t requests_max);

  // The reply came: its requests are answered. Returns the store's time. Error: the reply is not
  // one to this batch; its requests come back as kAway.
  std::expected<TimeUs, std::string_view> settle(Flight& flight, std::string_view reply);
  // No reply will come: its requests come back as kAway.
  void lose(Flight& flight);
  // The same for all that waits.
  void lose_waiting();

  // Requests whose deadline has passed come back as kAway.
  void expire(int64_t now_ns);
  // When the next deadline passes; INT64_MAX: none.
  int64_t next_deadline_ns() const;

  // Those that came back, one by one; null: none.
  StoreRequest* take_answered();

 private:
  struct List {
    StoreRequest* first = nullptr;
    StoreRequest* last = nullptr;
    void push(StoreRequest& request);
    StoreRequest* pop();
  };

  void give_back(StoreRequest& request, StoreResult result);
  void expire_waiting(int64_t now_ns);
  static void expire_flight(Flight& flight, int64_t now_ns, List& answered);
  void land(Flight& flight);

  Settings settings_;
  std::shared_ptr<const StoreRules> rules_;
  List waiting_;
  size_t waiting_count_ = 0;
  int64_t leave_ns_ = INT64_MAX;             // of those waiting
  int64_t waiting_deadline_ns_ = INT64_MAX;  // the first of those waiting, or before it
  List answered_;
  std::vector<std::unique_ptr<Flight>> flights_;
  size_t flights_out_ = 0;
};

}  // namespace toll::engine
