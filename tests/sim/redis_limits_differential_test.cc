// Our scripts decide in the simulated Redis as they do in a real one: the same random batches at
// the same times, every reply and every key compared.
#include <cstdint>
#include <gtest/gtest.h>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/store_batch.h"
#include "lua/scripts.h"
#include "tests/differential/random_world.h"
#include "tests/sim/redis_both_scripts.h"
#include "tests/unit/seed.h"

namespace toll::sim {
namespace {

using engine::RandomWorld;
using engine::StoreBatch;

constexpr uint64_t kWorlds = 30;
constexpr int kRoundsPerWorld = 40;

class RedisLimits : public BothScripts {
 protected:
  RedisLimits()
      : nodes_(load(lua::kNodes,
                    {{"redis.call('TIME')", "{ARGV[#ARGV - 1], ARGV[#ARGV]}"},
                     {"'PEXPIRE', key, string.format('%.0f', 10 * life_ms)",
                      "'PEXPIREAT', key, string.format('%.0f', now_ms + 10 * life_ms)"}})),
        limits_(load(lua::kLimits, {{"call('TIME')", "{ARGV[#ARGV - 1], ARGV[#ARGV]}"},
                                    {"'PEXPIRE', key, ", "'PEXPIREAT', key, now_ms + "}})) {}

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

  size_t taken_ = 0;
  size_t refused_ = 0;
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

  std::string limits_;
};

TEST_F(RedisLimits, BatchesAreDecidedAlike) {
  const uint64_t seed = test_seed(7);
  std::cout << "TOLL_SEED=" << seed << '\n';
  // With the script's quick road, and without.
  StoreBatch quick({});
  StoreBatch slow({.quick_max = 0});
  for (uint64_t i = 0; i < kWorlds && !HasFailure(); ++i) {
    SCOPED_TRACE("TOLL_SEED=" + std::to_string(seed + i));
    RandomWorld world(seed + i);
    const auto rules = std::make_shared<engine::StoreRules>(world.table(), "sim:");
    compare({"FLUSHALL"});
    for (int round = 0; round < kRoundsPerWorld && !HasFailure(); ++round) {
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
