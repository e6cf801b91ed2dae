// What a worker says to Redis by itself: a heartbeat, and news for the other daemons.
//
// The heartbeat writes this host into the list of nodes and reads how many are alive, once every
// health interval: so it is also the health check that a PING is not, since a Redis that is full or
// read-only answers a PING well. News leave collected, a few times a second at most.
//
// Belongs to a worker's Store and runs on the worker's thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/store_news.h"
#include "net/redis_link.h"

namespace toll::daemon {

class StorePulseOwner {
 public:
  // The heartbeat came through: so many hosts are alive, this one included.
  virtual void on_pulse(int64_t hosts) = 0;
  // Redis answered it with an error.
  virtual void on_pulse_failed(std::string_view error) = 0;

 protected:
  ~StorePulseOwner() = default;
};

class StorePulse {
 public:
  // `node` is this daemon's name among the fleet (StoreNews::kSenderBytes long); `prefix` goes
  // before the names of the key and the channel.
  StorePulse(StorePulseOwner& owner, net::RedisLink& link, std::string_view node,
             std::string_view prefix, int64_t interval_ns);

  // Sends what is due. REQUIRES: the link is ready; flush it afterwards.
  void beat(StoreNews& news, int64_t now_ns);
  // Takes this host out of the list of nodes: at the end, once. REQUIRES: as above.
  void leave(int64_t now_ns);
  // The link is lost: the next heartbeat is due at once.
  void lost() { next_beat_ns_ = 0; }
  int64_t next_due_ns(const StoreNews& news) const;

  static std::string nodes_key(std::string_view prefix);
  static std::string news_channel(std::string_view prefix);

 private:
  struct Beat final : net::RedisCall {
    explicit Beat(StorePulse& owner) : pulse(owner) {}
    void on_reply(const net::RedisReply& reply) override;
    void on_lost(net::CallLoss) override { out = false; }
    StorePulse& pulse;
    bool out = false;
  };
  // Whatever becomes of it.
  struct Heedless final : net::RedisCall {
    void on_reply(const net::RedisReply&) override { out = false; }
    void on_lost(net::CallLoss) override { out = false; }
    bool out = false;
  };

  void send(net::RedisCall& call, std::string_view word, int64_t now_ns);

  StorePulseOwner& owner_;
  net::RedisLink& link_;
  const std::string node_;
  const std::string key_;
  const std::string channel_;
  const int64_t interval_ns_;
  int64_t next_beat_ns_ = 0;
  int64_t next_news_ns_ = 0;
  Beat beat_{*this};
  Heedless publish_;
  Heedless leave_;
};

}  // namespace toll::daemon
