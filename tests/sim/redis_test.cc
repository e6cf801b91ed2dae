// What a simulated Redis does by itself: time, clients and what befalls them. That it answers as a
// real one does is for the differential tests.
#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <vector>

#include "lua/scripts.h"
#include "tests/sim/redis_clients.h"
#include "tests/sim/redis_server.h"
#include "tests/sim/sha1.h"
#include "tests/unit/times.h"

namespace toll::sim {
namespace {

constexpr int64_t kStart = 1'700'000'000'000 * kMs;

class SimulatedRedis : public ::testing::Test {
 protected:
  SimulatedRedis() { server_.connected(1); }

  std::string say(const Words& words, uint64_t session = 1) {
    return clients_.ask(server_, session, words, now_us_);
  }

  RedisClients clients_;
  RedisServer server_{clients_};
  int64_t now_us_ = kStart;
};

TEST_F(SimulatedRedis, AnswersWhatItIsAsked) {
  EXPECT_EQ(say({"PING"}), "+PONG\r\n");
  EXPECT_EQ(say({"SET", "key", "value"}), "+OK\r\n");
  EXPECT_EQ(say({"GET", "key"}), "$5\r\nvalue\r\n");
  EXPECT_EQ(say({"TIME"}), "*2\r\n$10\r\n1700000000\r\n$1\r\n0\r\n");
  EXPECT_EQ(server_.commands_run(), 4u);
}

TEST_F(SimulatedRedis, AKeyLivesUpToItsLastMillisecond) {
  say({"SET", "key", "value", "PX", "100"});
  say({"ZADD", "set", "1", "member"});
  say({"PEXPIRE", "set", "50"});
  now_us_ += 50 * kMs + 999;
  EXPECT_EQ(say({"ZCARD", "set"}), ":1\r\n");
  EXPECT_EQ(say({"PTTL", "key"}), ":50\r\n");
  EXPECT_EQ(say({"TTL", "key"}), ":0\r\n");
  now_us_ += 1;
  EXPECT_EQ(say({"DBSIZE"}), ":1\r\n");
  EXPECT_EQ(say({"ZCARD", "set"}), ":0\r\n");
  now_us_ += 50 * kMs;
  EXPECT_EQ(say({"KEYS", "*"}), "*0\r\n");
  EXPECT_EQ(say({"PTTL", "key"}), ":-2\r\n");
  EXPECT_EQ(say({"SET", "key", "new", "GET", "KEEPTTL"}), "$-1\r\n");
  EXPECT_EQ(say({"PTTL", "key"}), ":-1\r\n");
}

TEST_F(SimulatedRedis, KeysWhoseTimeIsUpTakeNoMemory) {
  for (int i = 0; i < 20'000; ++i) {
    say({"SET", "key" + std::to_string(i), "value", "PX", "10"});
    now_us_ += kMs;
  }
  // At time 0 all are there that have not been thrown away.
  EXPECT_LT(server_.keys().names(0).size(), 2'000u);
}

TEST_F(SimulatedRedis, BytesMayBeCutAnywhere) {
  const std::string bytes = request(Words{"SET", "key", std::string("a\r\n\0b", 5)}) + "*0\r\n" +
                            request(Words{"GET", "key"}) + "ping text\r\n";
  const std::string wanted = "+OK\r\n$5\r\na\r\n" + std::string("\0", 1) + "b\r\n$4\r\ntext\r\n";
  for (size_t first = 0; first <= bytes.size(); ++first) {
    for (size_t second = first; second <= bytes.size(); second += 7) {
      server_.received(1, std::string_view(bytes).substr(0, first), now_us_);
      server_.received(1, std::string_view(bytes).substr(first, second - first), now_us_);
      server_.received(1, std::string_view(bytes).substr(second), now_us_);
      ASSERT_EQ(clients_.heard(1), wanted) << first << " " << second;
    }
  }
  for (const char byte : bytes) server_.received(1, {&byte, 1}, now_us_);
  EXPECT_EQ(clients_.heard(1), wanted);
}

TEST_F(SimulatedRedis, ABrokenRequestEndsItsClientAlone) {
  server_.connected(2);
  server_.received(2, request(Words{"PING"}) + "*1\r\n!\r\n" + request(Words{"PING"}), now_us_);
  EXPECT_EQ(clients_.heard(2), "+PONG\r\n-ERR Protocol error: expected '$', got '!'\r\n");
  EXPECT_EQ(clients_.ended(), std::vector<uint64_t>{2});
  EXPECT_EQ(say({"PING"}, 2), "");
  EXPECT_EQ(say({"PING"}), "+PONG\r\n");
  EXPECT_EQ(server_.clients(), std::vector<uint64_t>{1});
}

TEST_F(SimulatedRedis, MessagesReachThoseWhoListen) {
  for (const uint64_t session : {2, 3, 4}) server_.connected(session);
  EXPECT_EQ(say({"SUBSCRIBE", "news"}, 2), "*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n");
  say({"SUBSCRIBE", "news", "other"}, 3);
  say({"SUBSCRIBE", "news"}, 4);
  server_.disconnected(4);
  EXPECT_EQ(server_.listeners("news"), 2u);
  EXPECT_EQ(say({"PUBLISH", "news", "text"}), ":2\r\n");
  const std::string message = "*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$4\r\ntext\r\n";
  EXPECT_EQ(clients_.heard(2), message);
  EXPECT_EQ(clients_.heard(3), message);
  EXPECT_EQ(clients_.heard(4), "");
  EXPECT_EQ(say({"EVAL", "return redis.call('PUBLISH', 'other', 'x')", "0"}), ":1\r\n");
  EXPECT_EQ(clients_.heard(2), "");
  EXPECT_NE(clients_.heard(3), "");
  EXPECT_EQ(server_.run({"PUBLISH", "news", "text"}, now_us_), ":2\r\n");
  EXPECT_EQ(clients_.heard(2), message);
}

TEST_F(SimulatedRedis, ARestartEndsClientsAndForgetsScripts) {
  server_.connected(2);
  say({"SUBSCRIBE", "news"}, 2);
  say({"SET", "key", "old"});
  const Snapshot old = server_.snapshot();
  say({"SET", "key", "new"});
  say({"SCRIPT", "LOAD", std::string(lua::kLimits.body)});
  const std::string run_id = server_.run_id();

  server_.restart(old);
  EXPECT_EQ(clients_.ended(), (std::vector<uint64_t>{1, 2}));
  EXPECT_EQ(server_.listeners("news"), 0u);
  EXPECT_NE(server_.run_id(), run_id);
  EXPECT_EQ(say({"PING"}), "");
  server_.connected(1);
  EXPECT_EQ(say({"GET", "key"}), "$3\r\nold\r\n");
  EXPECT_EQ(say({"SCRIPT", "EXISTS", std::string(lua::kLimits.sha1)}), "*1\r\n:0\r\n");

  server_.restart(server_.snapshot());
  EXPECT_EQ(server_.run({"GET", "key"}, now_us_), "$3\r\nold\r\n");
  server_.restart({});
  EXPECT_EQ(server_.run({"GET", "key"}, now_us_), "$-1\r\n");
}

TEST_F(SimulatedRedis, ItsNumberTellsItFromOthersAndFromBefore) {
  RedisServer same(clients_);
  RedisServer other(clients_, "other");
  EXPECT_EQ(same.run_id(), server_.run_id());
  EXPECT_NE(other.run_id(), server_.run_id());
  EXPECT_TRUE(say({"INFO", "server"}).contains("run_id:" + server_.run_id() + "\r\n"));
}

TEST_F(SimulatedRedis, InfoTellsWhatIsAsked) {
  server_.set_maxmemory_policy("volatile-ttl");
  EXPECT_TRUE(say({"INFO", "memory"}).contains("\r\nmaxmemory_policy:volatile-ttl\r\n"));
  EXPECT_TRUE(say({"INFO", "server"}).contains("\r\nredis_version:7.0.15\r\n"));
  EXPECT_TRUE(say({"INFO", "replication"}).contains("\r\nrole:master\r\n"));
  EXPECT_FALSE(say({"INFO", "replication"}).contains("redis_version"));
  EXPECT_EQ(say({"INFO", "nosuch"}), "$0\r\n\r\n");
  server_.set_trouble(Trouble::kReadonly);
  EXPECT_TRUE(say({"INFO"}).contains("\r\nrole:slave\r\n"));
}

TEST_F(SimulatedRedis, TroubleComesAndGoes) {
  say({"SCRIPT", "LOAD", std::string(lua::kNodes.body)});
  const Words beat{"EVALSHA", std::string(lua::kNodes.sha1), "1", "nodes", "me", "1000", "here"};
  EXPECT_EQ(say(beat), ":1\r\n");
  server_.set_trouble(Trouble::kOom);
  EXPECT_EQ(say(beat), "-OOM command not allowed when used memory > 'maxmemory'.\r\n");
  // Beside all clients, there is no trouble.
  EXPECT_EQ(server_.run({"SET", "key", "value"}, now_us_), "+OK\r\n");
  EXPECT_EQ(say({"GET", "key"}), "$5\r\nvalue\r\n");
  server_.set_trouble(Trouble::kNone);
  EXPECT_EQ(say(beat), ":1\r\n");
  EXPECT_EQ(server_.scripts_run(), 2u);
}

TEST_F(SimulatedRedis, TheClockStandsStillWithinAScript) {
  EXPECT_EQ(say({"EVAL",
                 "redis.call('SET', 'key', 'value', 'PX', 1) "
                 "return {redis.call('TIME'), redis.call('PTTL', 'key')}",
                 "0"}),
            "*2\r\n*2\r\n$10\r\n1700000000\r\n$1\r\n0\r\n:1\r\n");
}

TEST_F(SimulatedRedis, ScriptsAreForgottenAlone) {
  say({"SET", "key", "value"});
  say({"SCRIPT", "LOAD", std::string(lua::kNodes.body)});
  server_.flush_scripts();
  EXPECT_TRUE(say({"EVALSHA", std::string(lua::kNodes.sha1), "0"}).starts_with("-NOSCRIPT"));
  EXPECT_EQ(say({"EXISTS", "key"}), ":1\r\n");
}

TEST_F(SimulatedRedis, OneClientMayBeKilled) {
  server_.connected(2);
  server_.kill_client(1);
  EXPECT_EQ(clients_.ended(), std::vector<uint64_t>{1});
  EXPECT_EQ(say({"PING"}, 2), "+PONG\r\n");
  server_.kill_client(1);
  server_.disconnected(1);
  EXPECT_TRUE(clients_.ended().empty());
}

TEST_F(SimulatedRedis, WhatComesInAnOrderComesInAKnownOne) {
  std::string names;
  for (int i = 400; i >= 200; --i) {
    say({"SET", std::to_string(i), "x"});
    say({"HSET", "hash", std::to_string(i), "x"});
    names.insert(0, "$3\r\n" + std::to_string(i) + "\r\n");
  }
  EXPECT_EQ(say({"KEYS", "???"}), "*201\r\n" + names);
  say({"HDEL", "hash", "399"});
  say({"HSET", "hash", "400", "y", "399", "x"});
  const std::string fields = say({"HGETALL", "hash"});
  EXPECT_TRUE(fields.starts_with("*402\r\n$3\r\n400\r\n$1\r\ny\r\n$3\r\n398\r\n"));
  EXPECT_TRUE(fields.ends_with("$3\r\n200\r\n$1\r\nx\r\n$3\r\n399\r\n$1\r\nx\r\n"));
}

TEST(Sha1, IsThatOfTheStandard) {
  EXPECT_EQ(sha1_hex("abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(sha1_hex(std::string(1'000'000, 'a')), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
  for (const lua::Script* const script : {&lua::kLimits, &lua::kNodes}) {
    EXPECT_EQ(sha1_hex(script->body), script->sha1);
    EXPECT_EQ(sha1_hex(script->body_6), script->sha1_6);
  }
}

}  // namespace
}  // namespace toll::sim
