// A Redis that runs lua/limits.lua by the test's clock instead of its own: where the script reads
// TIME it is handed the time, and what expired by that time is deleted before each call. The times
// must be far in the future, so that nothing expires by Redis' own clock.
#pragma once

#include <chrono>
#include <cstdint>
#include <gtest/gtest.h>
#include <hiredis/hiredis.h>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "engine/store_batch.h"
#include "lua/scripts.h"
#include "tests/unit/redis_server.h"

namespace toll::engine {

class ScriptServer {
 public:
  // Starts the server and loads the script; check ready() then.
  ScriptServer() {
    server_.start();
    connect();
    if (!ready()) return;
    // The time is the last two arguments, as TIME answers it.
    std::string script(lua::kLimits.body);
    replace(script, "call('TIME')", "{ARGV[#ARGV - 1], ARGV[#ARGV]}");
    replace(script, "'PEXPIRE', key, ", "'PEXPIREAT', key, now_ms + ");
    sha1_ = text_of(command({"SCRIPT", "LOAD", script}));
    expire_sha1_ = text_of(command({"SCRIPT", "LOAD", kExpire}));
  }

  bool ready() const { return link_ != nullptr && link_->err == 0; }

  // Calls the script for a packed batch at that time. A reply that is no string is a failure.
  std::string call(const StoreBatch& batch, TimeUs now) {
    expire(now);
    const std::string count = std::to_string(batch.keys().size());
    const std::string seconds = std::to_string(now / 1'000'000);
    const std::string rest = std::to_string(now % 1'000'000);
    std::vector<std::string_view> words{"EVALSHA", sha1_, count};
    words.insert(words.end(), batch.keys().begin(), batch.keys().end());
    words.insert(words.end(), batch.arguments().begin(), batch.arguments().end());
    words.insert(words.end(), {seconds, rest});
    return text_of(command(words));
  }

  void forget_all() { command({"FLUSHALL"}); }

 private:
  struct Free {
    void operator()(redisReply* reply) const { freeReplyObject(reply); }
    void operator()(redisContext* context) const { redisFree(context); }
  };
  using Reply = std::unique_ptr<redisReply, Free>;

  static constexpr std::string_view kExpire =
      "for _, key in ipairs(redis.call('KEYS', '*')) do "
      "local at = redis.call('PEXPIRETIME', key) "
      "if at >= 0 and at <= tonumber(ARGV[1]) then redis.call('DEL', key) end end return 'ok'";

  static void replace(std::string& text, std::string_view what, std::string_view with) {
    size_t at = text.find(what);
    ASSERT_NE(at, std::string::npos) << what;
    for (; at != std::string::npos; at = text.find(what, at + with.size())) {
      text.replace(at, what.size(), with);
    }
  }

  // Until the server listens; what it takes to start is not ours to know.
  void connect() {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (std::chrono::steady_clock::now() < until && !server_.ended()) {
      link_.reset(redisConnectUnix(server_.path().c_str()));
      if (ready()) return;
      std::this_thread::yield();
    }
  }

  Reply command(std::span<const std::string_view> words) {
    std::vector<const char*> texts;
    std::vector<size_t> sizes;
    for (const std::string_view word : words) {
      texts.push_back(word.data());
      sizes.push_back(word.size());
    }
    return Reply(static_cast<redisReply*>(
        redisCommandArgv(link_.get(), static_cast<int>(words.size()), texts.data(), sizes.data())));
  }
  Reply command(std::initializer_list<std::string_view> words) {
    return command(std::span(words.begin(), words.size()));
  }

  static std::string text_of(const Reply& reply) {
    if (reply == nullptr) {
      ADD_FAILURE() << "no reply";
      return "";
    }
    const std::string text(reply->str, reply->len);
    EXPECT_EQ(reply->type, REDIS_REPLY_STRING) << text;
    return text;
  }

  void expire(TimeUs now) {
    if (now == expired_at_) return;
    expired_at_ = now;
    text_of(command({"EVALSHA", expire_sha1_, "0", std::to_string(now / 1'000)}));
  }

  net::testing::RedisServer server_;
  std::unique_ptr<redisContext, Free> link_;
  std::string sha1_;
  std::string expire_sha1_;
  TimeUs expired_at_ = 0;
};

}  // namespace toll::engine
