// Lua 5.1 with what Redis gives to scripts. RedisScripts keeps what is known of each script.
#pragma once

#include <array>
#include <expected>
#include <lua.hpp>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/redis_reply.h"

namespace toll::sim {

// Who runs the commands of a script.
class ScriptHost {
 public:
  virtual ~ScriptHost() = default;
  // Writes the reply at the end of `output`.
  virtual void call(std::span<const std::string_view> words, std::string& output) = 0;
};

class Interpreter {
 public:
  Interpreter();
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;

  // Returns what run() knows the script by; or what is wrong with it.
  std::expected<int, std::string> compile(std::string_view text);
  // Replies what the script returns, or why it failed; `sha1` is for that message.
  void run(int function, std::string_view sha1, std::span<const std::string_view> keys,
           std::span<const std::string_view> arguments, ScriptHost& host, Reply& reply);

 private:
  struct Close {
    void operator()(lua_State* lua) const { lua_close(lua); }
  };

  static int call(lua_State* lua);
  static int call_protected(lua_State* lua);
  static Interpreter& of(lua_State* lua);

  void open_libraries();
  void open_redis();
  void protect_globals();
  void set_global(const char* name, std::span<const std::string_view> words);
  bool push_result(lua_State* lua);
  std::string_view read_words(lua_State* lua);

  ScriptHost* host_ = nullptr;
  int globals_ = 0;     // where Lua keeps the table of those that are there
  std::string packed_;  // what cmsgpack works in
  // Of the command that a script calls. They stay, so that nothing is to be destroyed when Lua
  // leaves a function by an error.
  std::vector<std::string_view> words_;
  std::vector<std::array<char, 32>> numbers_;
  std::string output_;

  std::unique_ptr<lua_State, Close> state_;
};

}  // namespace toll::sim
