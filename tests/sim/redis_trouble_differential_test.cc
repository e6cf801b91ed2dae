// A simulated Redis in trouble answers every command as a real one does that was brought into it.
#include <array>
#include <filesystem>
#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/redis_both.h"
#include "tests/sim/redis_commands.h"

namespace toll::sim {
namespace {

class RedisTrouble : public Both {
 protected:
  explicit RedisTrouble(std::vector<std::string> options = {}) : Both(std::move(options)) {
    compare({"SET", "k", "v"});
  }

  // Puts the simulated one into that trouble and says everything to both.
  void compare_all(Trouble trouble) {
    server_.set_trouble(trouble);
    for (const Command* const command : all_commands()) {
      // What comes after two of these would be another thing; the rest tell of a server's own.
      constexpr std::array<std::string_view, 8> kOthers{"hello", "quit", "subscribe", "client|id",
                                                        "info",  "time", "script",    "multi"};
      if (std::ranges::find(kOthers, command->name) == kOthers.end()) compare(sample(*command));
    }
    compare_scripts();
    compare_transactions();
    compare({"HELLO", "x"});
    compare({"NOSUCH", "k"});
    compare({"GET"});
  }

  // Until the real one answers with that.
  void wait_for(const Words& words, std::string_view text) {
    for (std::string reply = real(words); !reply.contains(text); reply = real(words)) {
      ASSERT_FALSE(reply.empty()) << "it is gone";
    }
  }

  // With as many words as it wants.
  static Words sample(const Command& command) {
    std::string name(command.name);
    Words words;
    const size_t bar = name.find('|');
    if (bar != name.npos) words.push_back(name.substr(0, bar));
    words.push_back(bar == name.npos ? name : name.substr(bar + 1));
    while (!command.takes(words.size())) words.emplace_back("k");
    return words;
  }

  void compare_transactions() {
    const Words reads{"GET", "k"};
    const Words writes{"RPUSH", "list", "v"};
    const Words script{"EVAL", "return redis.call('DEL', KEYS[1])", "1", "list"};
    for (const std::vector<Words>& calls : std::vector<std::vector<Words>>{
             {}, {reads}, {writes, {"LLEN", "list"}}, {script}, {{"NOSUCH"}, reads}}) {
      compare({"MULTI"});
      for (const Words& words : calls) compare(words);
      compare({"EXEC"});
    }
  }

  void compare_scripts() {
    for (const std::string_view body : std::initializer_list<std::string_view>{
             "return redis.call('SET', KEYS[1], 'v')",
             "return redis.pcall('SET', KEYS[1], 'v')",
             "return redis.call('DEL', KEYS[1])",
             "return redis.call('GET', KEYS[1])",
             "return 1",
             "redis.call('DEL', KEYS[1]) return redis.call('SET', KEYS[1], 'v')",
             "#!lua\nreturn redis.call('SET', KEYS[1], 'v')",
             "#!lua\nreturn redis.call('GET', KEYS[1])",
             "#!lua flags=no-writes\nreturn redis.call('GET', KEYS[1])",
             "#!lua flags=no-writes\nreturn redis.call('SET', KEYS[1], 'v')",
             "#!lua flags=allow-oom\nreturn redis.call('SET', KEYS[1], 'v')",
             "#!lua flags=allow-stale\nreturn 1",
             "#!lua flags=allow-stale,no-writes\nreturn 1",
             "#!lua flags=allow-stale,no-writes\nreturn redis.call('GET', KEYS[1])",
             "#!lua flags=allow-stale,no-writes\nreturn redis.call('ECHO', KEYS[1])",
         }) {
      compare({"EVAL", std::string(body), "1", "k"});
    }
    compare({"EVALSHA", std::string(40, 'a'), "1", "k"});
    compare({"SCRIPT", "LOAD", "return 1"});
  }
};

TEST_F(RedisTrouble, NoneIsAsUsual) {
  compare_all(Trouble::kNone);
}

TEST_F(RedisTrouble, OutOfMemory) {
  real({"CONFIG", "SET", "maxmemory", "1"});
  compare_all(Trouble::kOom);
}

TEST_F(RedisTrouble, AReplica) {
  real({"REPLICAOF", "127.0.0.1", "1"});
  compare_all(Trouble::kReadonly);
}

TEST_F(RedisTrouble, AReplicaWithoutItsMaster) {
  real({"CONFIG", "SET", "replica-serve-stale-data", "no"});
  real({"REPLICAOF", "127.0.0.1", "1"});
  compare_all(Trouble::kMasterdown);
}

TEST_F(RedisTrouble, TooFewReplicas) {
  real({"CONFIG", "SET", "min-replicas-to-write", "1"});
  compare_all(Trouble::kNoreplicas);
}

TEST_F(RedisTrouble, ASnapshotThatFailed) {
  // Nothing can be written over a directory.
  std::filesystem::create_directory(real_.directory() + "/dump.rdb");
  real({"CONFIG", "SET", "save", "3600 1"});
  real({"BGSAVE"});
  wait_for({"INFO", "persistence"}, "rdb_last_bgsave_status:err");
  compare_all(Trouble::kMisconf);
}

TEST_F(RedisTrouble, AUserWithoutPermissions) {
  real({"ACL", "SETUSER", "default", "-@all"});
  compare_all(Trouble::kNoperm);
}

TEST_F(RedisTrouble, AClientThatHasNotLoggedIn) {
  real({"CONFIG", "SET", "requirepass", "secret"});
  server_.set_password("secret");
  connect();
  compare_all(Trouble::kNoauth);
}

TEST_F(RedisTrouble, TooManyClients) {
  real({"CONFIG", "SET", "maxclients", "1"});
  server_.set_trouble(Trouble::kMaxclients);
  compare({"PING"});
  RealConnection another(real_.path());
  server_.connected(99);
  EXPECT_EQ(clients_.heard(99), another.rest());
  EXPECT_EQ(clients_.ended(), std::vector<uint64_t>{99});
}

TEST_F(RedisTrouble, AScriptThatDoesNotEnd) {
  real({"CONFIG", "SET", "busy-reply-threshold", "1"});
  RealConnection endless(real_.path());
  endless.send(request(Words{"EVAL", "while true do end", "0"}));
  wait_for({"PING"}, "-BUSY");
  compare_all(Trouble::kBusy);
}

// It loads slowly, and answers in between.
class RedisLoading : public RedisTrouble {
 protected:
  RedisLoading()
      : RedisTrouble(
            {"--key-load-delay", "20000", "--loading-process-events-interval-bytes", "1024"}) {}
};

TEST_F(RedisLoading, ItsData) {
  for (int i = 0; i < 1000; ++i) {
    real({"SET", "key" + std::to_string(i), std::string(2000, 'x')});
  }
  ASSERT_EQ(real({"CONFIG", "SET", "rdbcompression", "no"}), "+OK\r\n");
  ASSERT_EQ(real({"SAVE"}), "+OK\r\n");
  real_.kill();
  real_.start();
  connect();
  ASSERT_TRUE(real({"PING"}).starts_with("-LOADING"));
  compare_all(Trouble::kLoading);
}

}  // namespace
}  // namespace toll::sim
