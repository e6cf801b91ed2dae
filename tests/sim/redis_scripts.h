// The scripts of a simulated Redis, run by Lua 5.1 as Redis 7 runs them.
//
// A script has string, table, math (without random), cmsgpack's pack and unpack, redis.call, pcall,
// error_reply, status_reply and sha1hex, KEYS and ARGV. Any other global is an error, and so is
// writing one. A script is compiled once. Time is what the commands that it calls are handed.
//
// Not there: bit, cjson, struct, random numbers; tables of the libraries are not protected from a
// script that writes to them.
#pragma once

#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "tests/sim/redis_interpreter.h"
#include "tests/sim/redis_keys.h"
#include "tests/sim/redis_reply.h"
#include "tests/sim/redis_trouble.h"

namespace toll::sim {

struct RedisScript {
  std::string sha1;
  ScriptTraits traits;
  int function;  // where Lua keeps it
};

inline constexpr size_t kDigestSize = 40;

// What the first line of a body says; nothing if it has no such line, or a wrong one.
ScriptTraits script_traits(std::string_view body);

class RedisScripts {
 public:
  RedisScripts();

  // Compiles and keeps it, if it is not there. Good until flush(). Or an error, with its code.
  std::expected<const RedisScript*, std::string> load(std::string_view body);
  // By the digest in any case; null if it is not there.
  const RedisScript* find(std::string_view sha1) const;
  void flush();

  // Replies what the script returns, or why it failed.
  void run(const RedisScript& script, std::span<const std::string_view> keys,
           std::span<const std::string_view> arguments, ScriptHost& host, Reply& reply);

 private:
  std::unique_ptr<Interpreter> lua_;
  TextMap<RedisScript> scripts_;
};

}  // namespace toll::sim
