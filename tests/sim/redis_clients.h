// Clients of a simulated Redis, for its tests: they keep what it says to them.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/sim/redis_real.h"
#include "tests/sim/redis_server.h"

namespace toll::sim {

class RedisClients : public RedisSink {
 public:
  void to_client(uint64_t session, std::string_view bytes) override { said_[session] += bytes; }
  void end_client(uint64_t session) override { ended_.push_back(session); }

  // What was said to it since it was last looked at.
  std::string heard(uint64_t session) { return std::exchange(said_[session], {}); }
  std::vector<uint64_t> ended() { return std::exchange(ended_, {}); }

  std::string ask(RedisServer& server, uint64_t session, const Words& words, int64_t now_us) {
    server.received(session, request(words), now_us);
    return heard(session);
  }

 private:
  std::map<uint64_t, std::string> said_;
  std::vector<uint64_t> ended_;
};

}  // namespace toll::sim
