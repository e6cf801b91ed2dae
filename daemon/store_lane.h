// One link of a worker to Redis with what waits for it and what is under way on it: batches out,
// replies in, and the reaction to every error that Redis can give.
//
// Belongs to a worker's Store and runs on the worker's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/settings.h"
#include "daemon/statistics.h"
#include "engine/breaker.h"
#include "engine/store_queue.h"
#include "net/loop.h"
#include "net/output_buffer.h"
#include "net/redis_link.h"

namespace toll::daemon {

class StoreLane;

// What is known of the call that a request came back from.
struct StoreFlightInfo {
  engine::TimeUs sent = 0;  // by StoreLaneOwner::now(); 0: it was never sent, or is not over yet
  uint64_t news = 0;        // what StoreNews had seen when it was sent
};

class StoreLaneOwner {
 public:
  virtual engine::Breaker& breaker() = 0;
  virtual WorkerCounters& counters() = 0;
  virtual engine::TimeUs now() = 0;  // the monotonic clock, in microseconds
  virtual int64_t turn_ns() = 0;     // the same, in nanoseconds
  virtual uint64_t news_seen() const = 0;
  virtual int64_t slow_call_us() const = 0;  // a call that takes longer is slow
  // A request came back, its result filled in.
  virtual void returned(engine::StoreRequest& request, const StoreFlightInfo& flight) = 0;
  // All requests of that call have come back.
  virtual void flight_over() = 0;
  virtual void on_lane_ready(StoreLane& lane) = 0;
  virtual void on_lane_away(StoreLane& lane, std::string_view reason, bool refused) = 0;

 protected:
  ~StoreLaneOwner() = default;
};

class StoreLane final : private net::RedisLinkHandler {
 public:
  StoreLane(StoreLaneOwner& owner, net::Loop& loop, net::ChunkPool& chunks,
            net::RedisLinkSettings settings, uint64_t seed);
  ~StoreLane();
  StoreLane(const StoreLane&) = delete;
  StoreLane& operator=(const StoreLane&) = delete;

  void adopt(std::shared_ptr<const engine::StoreRules> rules) { queue_.adopt(std::move(rules)); }
  net::RedisLink& link() { return link_; }
  const net::RedisLink& link() const { return link_; }

  // False: as many wait as may.
  bool put(engine::StoreRequest& request, int64_t leave_ns) {
    return queue_.put(request, leave_ns);
  }
  // What waits leaves with the next pump(), whether anybody waits for it or not.
  void hurry() { queue_.hurry(); }
  bool idle() const { return queue_.waiting() == 0 && queue_.flights() == 0; }

  // Sends what waits, as far as the link and the breaker allow; what they do not comes back.
  void pump();
  int64_t next_due_ns() const;

 private:
  struct BatchCall final : net::RedisCall {
    StoreLane* lane = nullptr;
    engine::StoreQueue::Flight* flight = nullptr;
    StoreFlightInfo info;
    uint32_t resent = 0;
    void on_reply(const net::RedisReply& reply) override { lane->replied(*this, reply); }
    void on_lost(net::CallLoss loss) override { lane->lost(*this, loss); }
  };

  void on_ready() override;
  void on_away(std::string_view reason, bool refused) override;

  void send(BatchCall& call);
  void replied(BatchCall& call, const net::RedisReply& reply);
  void lost(BatchCall& call, net::CallLoss loss);
  void failed(BatchCall& call, std::string_view message);
  void report(const BatchCall& call, engine::Breaker::Call outcome);
  int64_t duration_us(const BatchCall& call);
  bool in_vain(const BatchCall& call);
  void lose(BatchCall& call);
  void deliver(const StoreFlightInfo& info);
  void log_error(std::string_view message);

  StoreLaneOwner& owner_;
  net::RedisLink link_;
  engine::StoreQueue queue_;
  std::vector<BatchCall> calls_;  // by Flight::index
  int64_t clock_ahead_us_ = 0;    // the store's clock against ours, as last seen
  int64_t logged_ns_ = 0;
};

}  // namespace toll::daemon
