// Transactions, and who waits for an element of a list, beside a real Redis.
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "tests/sim/redis_both.h"

namespace toll::sim {
namespace {

class RedisWaiting : public Both {
 protected:
  // Says something on another connection to each, and compares what both answer there.
  void compare_there(const Words& words) {
    server_.connected(kOther);
    const std::string wanted = other_.ask(words);
    EXPECT_EQ(clients_.ask(server_, kOther, words, now_us_), wanted) << shown(wanted);
    server_.disconnected(kOther);
  }
  // Says something that is not answered yet.
  void say(const std::vector<Words>& all) {
    std::string bytes;
    for (const Words& words : all) bytes += request(words);
    connection_->send(bytes);
    server_.received(session_, bytes, now_us_);
    EXPECT_EQ(clients_.heard(session_), "");
  }
  // Until the real one has read it: its number of those who wait tells.
  void wait_until_it_waits() {
    while (!other_.ask({"INFO", "clients"}).contains("blocked_clients:1\r\n")) {
    }
  }
  void compare_heard(size_t replies) {
    std::string wanted;
    for (size_t i = 0; i < replies; ++i) wanted += connection_->reply();
    EXPECT_EQ(clients_.heard(session_), wanted);
  }

  static constexpr uint64_t kOther = 1'000;
  RealConnection other_{real_.path()};
};

TEST_F(RedisWaiting, TransactionsAreRunAlike) {
  const std::vector<std::vector<Words>> dialogues{
      {{"EXEC"}, {"DISCARD"}, {"MULTI"}, {"MULTI"}, {"GET", "a"}, {"EXEC"}, {"EXEC"}},
      {{"MULTI"}, {"RPUSH", "l", "a", "b"}, {"LLEN", "l"}, {"GET", "l"}, {"EXEC"}, {"LLEN", "l"}},
      {{"MULTI"}, {"DEL", "l"}, {"DISCARD"}, {"LLEN", "l"}, {"EXEC"}},
      {{"MULTI"}, {"NOSUCH"}, {"DEL", "l"}, {"EXEC"}, {"LLEN", "l"}},
      {{"MULTI"}, {"GET"}, {"DEL", "l"}, {"EXEC"}, {"LLEN", "l"}},
      {{"MULTI"}, {"EVALSHA", std::string(40, 'a'), "0"}, {"DEL", "l"}, {"EXEC"}},
      {{"MULTI"}, {"EVAL", "return redis.call('RPUSH', 'l', 'x')", "0"}, {"EXEC"}},
      {{"MULTI"}, {"SELECT", "3"}, {"SET", "a", "b"}, {"EXEC"}, {"GET", "a"}, {"SELECT", "0"}},
      {{"MULTI"}, {"BLMOVE", "none", "to", "LEFT", "RIGHT", "0"}, {"PING"}, {"EXEC"}},
      {{"MULTI"}, {"LMOVE", "l", "to", "LEFT", "RIGHT"}, {"EXEC"}, {"LRANGE", "to", "0", "-1"}},
      {{"MULTI"}, {"RESET"}, {"EXEC"}},
      {{"MULTI"}, {"DEL", "l"}, {"QUIT"}},
  };
  for (const std::vector<Words>& dialogue : dialogues) {
    connect();
    for (const Words& words : dialogue) compare_bytes(request(words));
  }
}

TEST_F(RedisWaiting, WrongWordsAreRefusedAlike) {
  compare({"SET", "text", "x"});
  compare({"RPUSH", "l", "a"});
  for (const char* seconds : {"x", "-1", "", "nan"}) {
    compare({"BLMOVE", "none", "to", "LEFT", "RIGHT", seconds});
  }
  compare({"BLMOVE", "l", "to", "LEFT", "DOWN", "x"});
  compare({"BLMOVE", "text", "to", "LEFT", "RIGHT", "0"});
  compare({"BLMOVE", "l", "text", "LEFT", "RIGHT", "0"});
  compare({"EVAL", "return redis.call('BLMOVE', 'l', 'to', 'LEFT', 'RIGHT', 0)", "0"});
  compare({"BLMOVE", "l", "to", "left", "right", "0"});
  compare({"LRANGE", "to", "0", "-1"});
}

TEST_F(RedisWaiting, WhoWaitsIsServedByWhatComes) {
  const Words wait{"BLMOVE", "l", "to", "LEFT", "RIGHT", "0"};
  const std::vector<std::vector<Words>> brought{
      {{"RPUSH", "l", "a"}},
      {{"LPUSH", "l", "a", "b"}},
      {{"EVAL", "redis.call('RPUSH', 'l', 'c') return redis.call('RPUSH', 'l', 'd')", "0"}},
      {{"SET", "l", "text"}, {"DEL", "l"}, {"RPUSH", "l", "e"}},
      {{"RPUSH", "from", "f"}, {"LMOVE", "from", "l", "LEFT", "LEFT"}},
      {{"DEL", "to"}, {"SET", "to", "text"}, {"RPUSH", "l", "g"}},
  };
  for (const std::vector<Words>& all : brought) {
    compare({"DEL", "l"});
    say({wait, {"PING", "behind"}});
    wait_until_it_waits();
    for (const Words& words : all) compare_there(words);
    compare_heard(2);
    compare({"LRANGE", "l", "0", "-1"});
    compare({"TYPE", "to"});
  }
}

TEST_F(RedisWaiting, ATransactionIsOverBeforeItsElementIsTaken) {
  say({{"BLMOVE", "l", "to", "LEFT", "RIGHT", "0"}});
  wait_until_it_waits();
  const std::string whole = request(Words{"MULTI"}) + request(Words{"RPUSH", "l", "a"}) +
                            request(Words{"LLEN", "l"}) + request(Words{"EXEC"}) +
                            request(Words{"LLEN", "l"});
  server_.connected(kOther);
  other_.send(whole);
  server_.received(kOther, whole, now_us_);
  std::string wanted;
  for (int i = 0; i < 5; ++i) wanted += other_.reply();
  EXPECT_EQ(clients_.heard(kOther), wanted);
  compare_heard(1);
}

TEST_F(RedisWaiting, ItsTimeEnds) {
  say({{"BLMOVE", "l", "to", "LEFT", "RIGHT", "0.001"}, {"PING"}});
  EXPECT_EQ(server_.next_due_us(), (now_us_ / 1'000 + 1) * 1'000);
  server_.pass(now_us_);
  EXPECT_EQ(clients_.heard(session_), "");
  server_.pass(now_us_ + 2'000);
  EXPECT_EQ(server_.next_due_us(), INT64_MAX);
  compare_heard(2);
}

TEST_F(RedisWaiting, AReplicaLetsNobodyWait) {
  say({{"BLMOVE", "l", "to", "LEFT", "RIGHT", "0"}});
  wait_until_it_waits();
  other_.ask({"REPLICAOF", "127.0.0.1", "1"});
  server_.set_trouble(Trouble::kReadonly);
  EXPECT_EQ(clients_.heard(session_), connection_->rest());
  EXPECT_EQ(clients_.ended(), std::vector<uint64_t>{session_});
}

TEST_F(RedisWaiting, WhoLeavesTakesNothing) {
  say({{"BLMOVE", "l", "to", "LEFT", "RIGHT", "0"}});
  server_.disconnected(session_);
  server_.connected(++session_);
  server_.received(session_, request(Words{"RPUSH", "l", "a"}), now_us_);
  EXPECT_EQ(clients_.heard(session_), ":1\r\n");
  EXPECT_EQ(server_.run({"LLEN", "l"}, now_us_), ":1\r\n");
}

}  // namespace
}  // namespace toll::sim
