// A real Redis and the simulated one side by side: what is said to both must be answered alike.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <gtest/gtest.h>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/redis_clients.h"
#include "tests/sim/redis_real.h"
#include "tests/sim/redis_reply.h"
#include "tests/sim/redis_server.h"

namespace toll::sim {

// The elements of an array, each as it stands in the reply.
inline std::vector<std::string> elements(std::string_view reply) {
  std::vector<std::string> found;
  const size_t line = reply.find("\r\n");
  for (size_t at = line == reply.npos ? reply.size() : line + 2; at < reply.size();) {
    const size_t end = reply_end(reply, at).value_or(reply.size());
    found.emplace_back(reply.substr(at, end - at));
    at = end;
  }
  return found;
}

// Sorted, where it is an array.
inline std::vector<std::string> sorted_elements(std::string_view reply) {
  std::vector<std::string> found = elements(reply);
  std::ranges::sort(found);
  return found;
}

class Both : public ::testing::Test {
 protected:
  explicit Both(std::vector<std::string> options = {}) : real_(std::move(options)) { connect(); }

  // A new connection to each, in the place of that before.
  void connect() {
    connection_.emplace(real_.path());
    server_.disconnected(session_);
    server_.connected(++session_);
  }

  std::string real(const Words& words) { return connection_->ask(words); }
  std::string simulated(const Words& words) {
    return clients_.ask(server_, session_, words, now_us_);
  }

  // Asks both.
  void compare(const Words& words) {
    const std::string wanted = real(words);
    const std::string answered = simulated(words);
    EXPECT_TRUE(alike(words, wanted, answered)) << difference(request(words), wanted, answered);
  }

  // Sends both the same bytes, which need not be one request, and compares all that they say to
  // them. An unknown command behind them, whose words come back to whoever says it, tells that the
  // real one has said it all.
  void compare_bytes(const std::string& bytes) {
    const Words mark{"MARK", "all-said"};
    connection_->send(bytes + request(mark));
    std::string wanted;
    for (;;) {
      const std::string reply = connection_->reply();
      wanted += reply;
      if (reply.empty() || reply.contains(mark[1])) break;
    }
    server_.received(session_, bytes + request(mark), now_us_);
    const std::string answered = clients_.heard(session_);
    EXPECT_EQ(answered, wanted) << difference(bytes, wanted, answered);
  }

  static std::string difference(std::string_view asked, std::string_view wanted,
                                std::string_view answered) {
    return shown(asked) + "\n  real      " + shown(wanted) + "\n  simulated " + shown(answered);
  }

  // What is told of times may be some seconds apart, and names of keys and members of
  // a set come in any order.
  static bool alike(const Words& words, const std::string& wanted, const std::string& answered) {
    if (wanted == answered) return true;
    const auto names = [&words](std::string_view what) {
      return std::ranges::any_of(words, [&](const auto& word) { return is_word(word, what); });
    };
    if (names("keys") || names("smembers")) {
      return wanted[0] == '*' && sorted_elements(wanted) == sorted_elements(answered);
    }
    const bool tells_time =
        names("ttl") || names("pttl") || names("expiretime") || names("pexpiretime");
    if (!tells_time || !wanted.starts_with(':') || !answered.starts_with(':')) return false;
    const int64_t wanted_time = std::strtoll(wanted.c_str() + 1, nullptr, 10);
    const int64_t answered_time = std::strtoll(answered.c_str() + 1, nullptr, 10);
    return wanted_time > 100'000 && std::abs(wanted_time - answered_time) < 60'000;
  }

  RealRedis real_;
  std::optional<RealConnection> connection_;
  RedisClients clients_;
  RedisServer server_{clients_};
  uint64_t session_ = 0;
  const int64_t now_us_ = 1'000'000 * static_cast<int64_t>(std::time(nullptr));
};

}  // namespace toll::sim
