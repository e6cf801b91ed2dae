// Where Redis is and by which password, kept up to date while the workers run: a name may resolve
// to something else by now, and a password file may have been changed.
//
// Both are asked for when a link is in trouble, at most once a second, on a thread of its own,
// because resolvers and files may block. What changed is posted to the workers.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "config/settings.h"
#include "net/redis_address.h"

namespace toll::daemon {

class StoreDirectory {
 public:
  struct Entry {
    net::RedisAddress address;
    std::string password;
  };

  // Without asking a resolver: the address of a Unix socket or of a host that is given by number.
  // Else it has no endpoint yet.
  static net::RedisAddress first_address(const config::RedisSettings& settings);

  // Does nothing until start().
  explicit StoreDirectory(const config::RedisSettings& settings);
  ~StoreDirectory();  // does not wait for a resolver that hangs

  // From now on `changed` is called with each new entry, on the directory's thread, until stop().
  void start(std::function<void(const Entry&)> changed);
  void stop();

  // A link could not be made, or was refused. Any thread; never blocks for long.
  void troubled();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace toll::daemon
