// Makes a connection to one of several addresses, tried in turn, over TCP or a Unix socket.
//
// Remembers which address was last good or is next to try, so that one that swallows everything
// does not stand before the others for ever. Owned by a link; its loop's thread. Has no time-out of
// its own: whoever lost patience calls give_up().
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "net/loop.h"
#include "net/redis_address.h"

namespace toll::net {

class RedisDialerHandler {
 public:
  // A connected non-blocking socket, the handler's from now on.
  virtual void on_dialled(int fd) = 0;
  // No address answered: what became of the last one. Also after give_up().
  virtual void on_dial_failed(std::string_view what) = 0;

 protected:
  ~RedisDialerHandler() = default;
};

class RedisDialer final : Completion {
 public:
  RedisDialer(Loop& loop, RedisDialerHandler& handler) : loop_(loop), handler_(handler) {}
  ~RedisDialer();  // REQUIRES: nothing in flight

  // One of the handler's calls follows: from the loop, or, where no socket can be had at all, from
  // inside this call. `address` may change meanwhile, and must stay.
  void dial(const RedisAddress& address);
  // on_dial_failed() follows from the loop. REQUIRES: a dial that has not ended.
  void give_up();
  // The address last tried was no good after all.
  void turn_away() { ++at_; }

 private:
  void complete(const Event& event) override;
  void try_next();

  Loop& loop_;
  RedisDialerHandler& handler_;
  const RedisAddress* address_ = nullptr;
  size_t at_ = 0;  // which address, counted round and round
  size_t tries_left_ = 0;
  int fd_ = -1;
  bool given_up_ = false;
  std::string failure_;
};

}  // namespace toll::net
