// Pushes log records into the list in Redis, a block at a time: as one transaction with what cuts
// the list to its length and notes the push under the pusher's name (lua/logtrim.lua).
//
// What is pushed goes by RPUSH itself, since a script would copy every record twice more. Belongs
// to a worker and its link.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/log_block.h"
#include "net/redis_link.h"

namespace toll::daemon {

class LogSpill;
struct Process;

// The names in Redis. All share a hash tag.
struct LogKeys {
  explicit LogKeys(const Process& process);

  std::string queue;
  std::string takers;  // a set: the lists of taken records
  std::string taken;   // what begins the names of this process' ones
  std::string marks;   // what begins the names of this host's marks
};

class LogPusher final : private net::RedisCall {
 public:
  enum class Outcome : uint8_t {
    kDone,
    kRefused,  // Redis said no, and nothing was done
    kLost      // nobody knows
  };
  class Owner {
   public:
    // `error` is what Redis said, kRefused.
    virtual void pushed(Outcome outcome, uint64_t dropped, std::string_view error) = 0;
    virtual int64_t turn_ns() = 0;  // the monotonic clock

   protected:
    ~Owner() = default;
  };

  // All outlive it. `name`: this pusher among those of this host.
  LogPusher(Owner& owner, net::RedisLink& link, const Process& process, std::string_view name);

  bool busy() const { return busy_; }
  // The records stay until pushed(). Returns the number that the push is noted under. REQUIRES: not
  // busy, and the link is ready.
  uint64_t push(const engine::LogBlock& records);

  // The mark of the pusher `name` of this host; and what is in it: was the push `number` of the
  // process `token`, or a later one, made? `dropped` is of that push, 0 of a later one's.
  static std::string mark_key(const LogKeys& keys, std::string_view name);
  struct Mark {
    bool done = false;
    uint64_t dropped = 0;
  };
  static Mark read_mark(std::string_view text, std::string_view token, uint64_t number);

 private:
  void on_reply(const net::RedisReply& reply) override;
  void on_lost(net::CallLoss) override;
  void on_error(std::string_view text) override;

  Owner& owner_;
  net::RedisLink& link_;
  const LogKeys keys_;
  const std::string mark_;
  const std::string token_;
  const int64_t max_;
  bool busy_ = false;
  uint64_t number_ = 0;
  std::string error_;
};

}  // namespace toll::daemon
