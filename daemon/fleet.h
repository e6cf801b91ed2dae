// What the other daemons of the fleet tell this one: heard by one subscription, passed on to all
// workers.
//
// Lives on worker 0. While it does not hear, or after it has missed something, nobody believes in a
// remembered refusal for long.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "config/settings.h"
#include "net/redis_link.h"

namespace toll::daemon {

class Worker;

class Fleet final : private net::RedisLinkHandler {
 public:
  // `node` is this daemon's own name, whose messages are not for us.
  Fleet(Worker& worker, const config::RedisSettings& settings, std::string_view node,
        uint64_t seed);
  ~Fleet();

  void start();
  void stop() { link_.stop(); }
  bool stopped() const { return link_.stopped(); }
  void set_address(const net::RedisAddress& address) { link_.set_address(address); }
  void set_password(const std::string& password) { link_.set_password(password); }

  void pump(int64_t now_ns);
  int64_t next_due_ns() const { return link_.next_tick_ns(); }

 private:
  struct Subscribe final : net::RedisCall {
    explicit Subscribe(Fleet& owner) : fleet(owner) {}
    void on_reply(const net::RedisReply& reply) override { fleet.subscribed(reply); }
    void on_lost(net::CallLoss) override {}
    Fleet& fleet;
  };

  void on_ready() override;
  void on_away(std::string_view reason, bool refused) override;
  void on_push(const net::RedisReply& reply) override;
  void subscribed(const net::RedisReply& reply);
  void hear(bool hears);

  Worker& worker_;
  const std::string node_;
  const std::string channel_;
  net::RedisLink link_;
  Subscribe subscribe_{*this};
  bool hears_ = false;
};

}  // namespace toll::daemon
