// A script in a real Redis and in the simulated one, at the same times: every reply and every key
// compared.
//
// The simulated one runs the scripts as they are, at the times that it is handed. The real one is
// given the time by an argument, and what expired by then is deleted before each call, since its
// own clock says otherwise; so the times must be far in the future.
#pragma once

#include <cstdint>
#include <gtest/gtest.h>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lua/scripts.h"
#include "tests/sim/redis_both.h"
#include "tests/unit/times.h"

namespace toll::sim {

class BothScripts : public Both {
 protected:
  using Replaced = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  BothScripts() { expire_ = load(std::string(kExpire)); }

  // Loads it into both. Returns the real one's, which is given its time as the last two arguments,
  // as TIME answers it.
  std::string load(const lua::Script& script, Replaced replaced) {
    const std::string sha1 = server_.run({"SCRIPT", "LOAD", script.body}, 0);
    EXPECT_EQ(sha1, "$40\r\n" + std::string(script.sha1) + "\r\n");
    std::string body(script.body);
    for (const auto& [what, with] : replaced) {
      size_t at = body.find(what);
      EXPECT_NE(at, std::string::npos) << what;
      for (; at != std::string::npos; at = body.find(what, at + with.size())) {
        body.replace(at, what.size(), with);
      }
    }
    return load(body);
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

  // Asks both, beside all scripts.
  std::string look(const Words& words, int64_t now_us) {
    const std::string wanted = real(words);
    const std::vector<std::string_view> views(words.begin(), words.end());
    const std::string answered = server_.run(views, now_us);
    const bool any_order = words[0] == "KEYS" || words[0] == "HGETALL";
    const bool same =
        any_order ? sorted_elements(wanted) == sorted_elements(answered) : wanted == answered;
    EXPECT_TRUE(same) << difference(request(words), wanted, answered);
    return answered;
  }

  void compare_keys(int64_t now_us) {
    expire(now_us);
    look({"KEYS", "*"}, now_us);
    for (const std::string_view name : server_.keys().names(now_us / 1000)) {
      const std::string key(name);
      const std::string type = look({"TYPE", key}, now_us);
      look(type == "+zset\r\n"   ? Words{"ZRANGE", key, "0", "-1", "WITHSCORES"}
           : type == "+hash\r\n" ? Words{"HGETALL", key}
           : type == "+list\r\n" ? Words{"LRANGE", key, "0", "-1"}
                                 : Words{"GET", key},
           now_us);
      look({"PEXPIRETIME", key}, now_us);
      ++keys_seen_;
    }
  }

  size_t keys_seen_ = 0;

 private:
  // Deletes what expired by ARGV[1].
  static constexpr std::string_view kExpire =
      "for _, key in ipairs(redis.call('KEYS', '*')) do "
      "local at = redis.call('PEXPIRETIME', key) "
      "if at >= 0 and at < tonumber(ARGV[1]) then redis.call('DEL', key) end end return 'ok'";

  std::string load(const std::string& body) {
    const std::string reply = real({"SCRIPT", "LOAD", body});
    return reply.starts_with("$40\r\n") ? reply.substr(5, 40) : reply;
  }

  void expire(int64_t now_us) {
    real({"EVALSHA", expire_, "0", std::to_string(now_us / 1000)});
    // A look at a key whose time is up deletes it; else it is back when the clock steps back.
    for (const std::string_view name : server_.keys().names(0)) {
      const std::string key(name);
      server_.run({"EXISTS", key}, now_us);
    }
  }

  std::string expire_;
};

}  // namespace toll::sim
