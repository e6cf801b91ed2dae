// Our scripts decide in the simulated Redis as they do in a real one: the same random batches at
// the same times, every reply and every key compared.
//
// The simulated one runs the scripts as they are, at the times that it is handed. The real one is
// given the time by an argument, and what expired by then is deleted before each call, since its
// own clock says otherwise; so the times must be far in the future.
#include <cstdint>
#include <cstdlib>
#include <gtest/gtest.h>
#include <initializer_list>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/store_batch.h"
#include "lua/scripts.h"
#include "tests/differential/random_world.h"
#include "tests/sim/redis_both.h"

namespace toll::sim {
namespace {

using engine::RandomWorld;
using engine::StoreBatch;

constexpr uint64_t kWorlds = 30;
constexpr int kRounds = 40;

// Deletes what expired by ARGV[1].
constexpr std::string_view kExpire =
    "for _, key in ipairs(redis.call('KEYS', '*')) do "
    "local at = redis.call('PEXPIRETIME', key) "
    "if at >= 0 and at < tonumber(ARGV[1]) then redis.call('DEL', key) end end return 'ok'";

// The script with its time as the last two arguments, as TIME answers it.
std::string with_time_handed_in(
    std::string_view body,
    std::initializer_list<std::pair<std::string_view, std::string_view>> replaced) {
  std::string script(body);
  for (const auto& [what, with] : replaced) {
    size_t at = script.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    for (; at != std::string::npos; at = script.find(what, at + with.size())) {
      script.replace(at, what.size(), with);
    }
  }
  return script;
}

class RedisLimits : public Both {
 protected:
  RedisLimits() {
    limits_ = load(with_time_handed_in(lua::kLimits.body,
                                       {{"call('TIME')", "{ARGV[#ARGV - 1], ARGV[#ARGV]}"},
                                        {"'PEXPIRE', key, ", "'PEXPIREAT', key, now_ms + "}}));
    nodes_ = load(with_time_handed_in(
        lua::kNodes.body, {{"redis.call('TIME')", "{ARGV[#ARGV - 1], ARGV[#ARGV]}"},
                           {"'PEXPIRE', key, string.format('%.0f', 10 * life_ms)",
                            "'PEXPIREAT', key, string.format('%.0f', now_ms + 10 * life_ms)"}}));
    expire_ = load(std::string(kExpire));
    for (const lua::Script* const script : {&lua::kLimits, &lua::kNodes}) {
      const std::string sha1 = server_.run({"SCRIPT", "LOAD", script->body}, 0);
      EXPECT_EQ(sha1, "$40\r\n" + std::string(script->sha1) + "\r\n");
    }
  }

  std::string load(const std::string& body) {
    const std::string reply = real({"SCRIPT", "LOAD", body});
    return reply.starts_with("$40\r\n") ? reply.substr(5, 40) : reply;
  }

  // Calls both scripts, which must answer alike. Returns what the simulated one says.
  std::string call(const std::string& real_sha1, const lua::Script& script, Words rest,
                   int64_t now_us) {
    expire(now_us);
    rest.insert(rest.begin(), {"EVALSHA", std::string(script.sha1)});
    const std::vector<std::string_view> views(rest.begin(), rest.end());
    std::string answered = server_.run(views, now_us);
    rest[1] = real_sha1;
    rest.insert(rest.end(), {std::to_string(now_us / kSecond), std::to_string(now_us % kSecond)});
    const std::string wanted = real(rest);
    EXPECT_EQ(answered, wanted) << difference(request(rest), wanted, answered);
    return answered;
  }

  void send(StoreBatch& batch, int64_t now_us) {
    batch.pack();
    Words words{std::to_string(batch.keys().size())};
    words.insert(words.end(), batch.keys().begin(), batch.keys().end());
    words.insert(words.end(), batch.arguments().begin(), batch.arguments().end());
    const std::string reply = call(limits_, lua::kLimits, words, now_us);
    ASSERT_TRUE(reply.starts_with('$')) << shown(reply);
    const size_t begin = reply.find("\r\n") + 2;
    const auto decided =
        batch.deal(std::string_view(reply).substr(begin, reply.size() - begin - 2));
    ASSERT_TRUE(decided) << decided.error();
    EXPECT_EQ(*decided, now_us);
  }

  // A random batch, some of its requests alike.
  void ask(RandomWorld& world, StoreBatch& batch,
           const std::shared_ptr<const engine::StoreRules>& rules) {
    std::vector<std::unique_ptr<Question>> questions;
    batch.clear(rules);
    const int64_t count = world.chance(20) ? 1 : world.between(2, world.chance(20) ? 150 : 25);
    for (int64_t i = 0; i < count; ++i) {
      auto question = std::make_unique<Question>(world);
      if (batch.add(question->request, world.now()) == StoreBatch::Added::kTaken) {
        ++taken_;
        questions.push_back(std::move(question));
      }
    }
    if (!batch.empty()) send(batch, world.now());
    for (const auto& question : questions) {
      refused_ += question->operations[0].outcome == engine::Outcome::kRefused;
    }
  }

  void compare_keys(int64_t now_us) {
    expire(now_us);
    const auto look = [&](const Words& words) {
      const std::string wanted = real(words);
      const std::vector<std::string_view> views(words.begin(), words.end());
      const std::string answered = server_.run(views, now_us);
      const bool same = words[0] == "KEYS" ? sorted_elements(wanted) == sorted_elements(answered)
                                           : wanted == answered;
      EXPECT_TRUE(same) << difference(request(words), wanted, answered);
      return answered;
    };
    look({"KEYS", "*"});
    for (const std::string_view name : server_.keys().names(now_us / 1000)) {
      const std::string key(name);
      const bool is_set = look({"TYPE", key}) == "+zset\r\n";
      look(is_set ? Words{"ZRANGE", key, "0", "-1", "WITHSCORES"} : Words{"GET", key});
      look({"PEXPIRETIME", key});
      ++keys_seen_;
    }
  }

  static constexpr int64_t kSecond = 1'000'000;
  size_t taken_ = 0;
  size_t refused_ = 0;
  size_t keys_seen_ = 0;
  std::string nodes_;

 private:
  struct Question {
    explicit Question(RandomWorld& world)
        : ids(static_cast<size_t>(world.chance(15) ? world.between(2, 5) : 1)) {
      for (std::string& id : ids) {
        operations.push_back(ids.size() == 1 ? world.operation(id) : world.check(id));
      }
      views.assign(ids.begin(), ids.end());
      request.operations = operations.data();
      request.ids = views.data();
      request.count = static_cast<uint8_t>(ids.size());
    }

    std::vector<std::string> ids;
    std::vector<std::string_view> views;
    std::vector<engine::Operation> operations;
    engine::StoreRequest request;
  };

  void expire(int64_t now_us) {
    real({"EVALSHA", expire_, "0", std::to_string(now_us / 1000)});
    // A look at a key whose time is up deletes it; else it is back when the clock steps back.
    for (const std::string_view name : server_.keys().names(0)) {
      const std::string key(name);
      server_.run({"EXISTS", key}, now_us);
    }
  }

  std::string limits_;
  std::string expire_;
};

TEST_F(RedisLimits, BatchesAreDecidedAlike) {
  const char* const given = std::getenv("TOLL_SEED");
  const uint64_t seed = given == nullptr ? 7 : std::strtoull(given, nullptr, 10);
  std::cout << "TOLL_SEED=" << seed << '\n';
  // With the script's quick road, and without.
  StoreBatch quick({});
  StoreBatch slow({.quick_max = 0});
  for (uint64_t i = 0; i < kWorlds && !HasFailure(); ++i) {
    SCOPED_TRACE("TOLL_SEED=" + std::to_string(seed + i));
    RandomWorld world(seed + i);
    const auto rules = std::make_shared<engine::StoreRules>(world.table(), "sim:");
    compare({"FLUSHALL"});
    for (int round = 0; round < kRounds && !HasFailure(); ++round) {
      if (world.chance(10)) {
        world.step_back();
      } else {
        world.step();
      }
      ask(world, world.chance(70) ? quick : slow, rules);
      if (round % 8 == 7) compare_keys(world.now());
    }
  }
  std::cout << taken_ << " requests, " << refused_ << " refused, " << keys_seen_ << " keys seen\n";
  EXPECT_GT(taken_, 5'000u);
  EXPECT_GT(refused_, 500u);
  EXPECT_GT(keys_seen_, 500u);
}

TEST_F(RedisLimits, HeartbeatsAreTakenAlike) {
  RandomWorld random(3);
  int64_t now_us = 4'102'444'800 * kSecond;
  for (int i = 0; i < 2'000 && !HasFailure(); ++i) {
    now_us += random.chance(5) ? -random.between(0, 5 * kSecond) : random.between(0, kSecond);
    const std::string word = random.chance(3) ? "what" : random.chance(10) ? "leave" : "here";
    call(nodes_, lua::kNodes,
         {"1", "tollkeeper:nodes", "node" + std::to_string(random.between(0, 5)),
          std::to_string(random.between(0, 4'000)), word},
         now_us);
    if (i % 10 == 0) compare_keys(now_us);
  }
  EXPECT_GT(keys_seen_, 100u);
}

}  // namespace
}  // namespace toll::sim
