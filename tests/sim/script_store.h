// lua/limits.lua in a simulated Redis, asked one operation at a time, at any time.
#pragma once

#include <cstdint>
#include <gtest/gtest.h>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/store_batch.h"
#include "lua/scripts.h"
#include "tests/sim/redis_server.h"

namespace toll::sim {

class ScriptStore {
 public:
  explicit ScriptStore(std::shared_ptr<const engine::PolicyTable> table,
                       const engine::StoreBatch::Settings& settings = {})
      : rules_(std::make_shared<engine::StoreRules>(std::move(table), "")), batch_(settings) {
    server_.run({"SCRIPT", "LOAD", lua::kLimits.body}, 0);
  }

  void decide(engine::Operation& operation, std::string_view id, int64_t now_us) {
    engine::StoreRequest request;
    request.operations = &operation;
    request.ids = &id;
    batch_.clear(rules_);
    ASSERT_EQ(batch_.add(request, now_us), engine::StoreBatch::Added::kTaken);
    batch_.pack();
    const std::string keys = std::to_string(batch_.keys().size());
    std::vector<std::string_view> words{"EVALSHA", lua::kLimits.sha1, keys};
    words.insert(words.end(), batch_.keys().begin(), batch_.keys().end());
    words.insert(words.end(), batch_.arguments().begin(), batch_.arguments().end());
    const std::string reply = server_.run(words, now_us);
    ASSERT_TRUE(reply.starts_with('$')) << reply;
    const size_t begin = reply.find("\r\n") + 2;
    const auto text = std::string_view(reply).substr(begin, reply.size() - begin - 2);
    ASSERT_TRUE(batch_.deal(text).has_value());
    ++calls_;
  }
  // Any command; the reply as it travels.
  std::string run(std::initializer_list<std::string_view> words, int64_t now_us) {
    return server_.run(words, now_us);
  }
  int64_t calls() const { return calls_; }

 private:
  // Nobody is connected.
  struct NoSink final : RedisSink {
    void to_client(uint64_t, std::string_view) override {}
    void end_client(uint64_t) override {}
  };

  NoSink sink_;
  RedisServer server_{sink_};
  std::shared_ptr<const engine::StoreRules> rules_;
  engine::StoreBatch batch_;
  int64_t calls_ = 0;
};

}  // namespace toll::sim
