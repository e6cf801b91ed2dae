#include "tests/sim/redis_interpreter.h"

#include <cstdio>
#include <cstring>
#include <new>

#include "tests/sim/redis_lua_values.h"
#include "tests/sim/redis_msgpack.h"
#include "tests/sim/sha1.h"

// No function that Lua calls may hold what wants to be destroyed while it calls Lua, whose errors
// are long jumps.
namespace toll::sim {

namespace {

int missing_global(lua_State* lua) {
  const char* const name = lua_isstring(lua, 2) != 0 ? lua_tostring(lua, 2) : "";
  return luaL_error(lua, "Script attempted to access nonexistent global variable '%s'", name);
}

int readonly_table(lua_State* lua) {
  return luaL_error(lua, "Attempt to modify a readonly table");
}

// Makes a table {err, source, line} of whatever was raised.
int explain_error(lua_State* lua) {
  lua_settop(lua, 1);
  if (!lua_istable(lua, 1)) {
    const bool is_text = lua_isstring(lua, 1) != 0;
    lua_newtable(lua);
    lua_pushfstring(lua, "ERR %s", is_text ? lua_tostring(lua, 1) : luaL_typename(lua, 1));
    lua_setfield(lua, 2, "err");
    lua_replace(lua, 1);
  }
  lua_Debug place;
  for (int level = 1; lua_getstack(lua, level, &place) == 1; ++level) {
    lua_getinfo(lua, "Sl", &place);
    // What raises errors is a function of C, called by the script.
    if (level == 1 && std::strcmp(place.what, "C") == 0) continue;
    lua_pushstring(lua, place.source);
    lua_setfield(lua, 1, "source");
    lua_pushinteger(lua, place.currentline);
    lua_setfield(lua, 1, "line");
    break;
  }
  return 1;
}

// Lua's own, but that of an error which is a table only the text is handed on.
int pcall(lua_State* lua) {
  luaL_checkany(lua, 1);
  lua_pushboolean(lua, 1);
  lua_insert(lua, 1);
  if (lua_pcall(lua, lua_gettop(lua) - 2, LUA_MULTRET, 0) == 0) return lua_gettop(lua);
  if (lua_istable(lua, -1)) {
    lua_getfield(lua, -1, "err");
    lua_remove(lua, lua_isstring(lua, -1) != 0 ? -2 : -1);
  }
  lua_pushboolean(lua, 0);
  lua_replace(lua, 1);
  return 2;
}

bool has_one_string(lua_State* lua) {
  if (lua_gettop(lua) == 1 && lua_type(lua, 1) == LUA_TSTRING) return true;
  push_error(lua, "ERR wrong number or type of arguments");
  return false;
}

int error_reply(lua_State* lua) {
  if (!has_one_string(lua)) return 1;
  std::string_view text = lua_tostring(lua, 1);
  if (text.starts_with('-')) text.remove_prefix(1);
  push_error(lua, text);
  return 1;
}

int status_reply(lua_State* lua) {
  if (!has_one_string(lua)) return 1;
  lua_newtable(lua);
  lua_pushvalue(lua, 1);
  lua_setfield(lua, -2, "ok");
  return 1;
}

int sha1hex(lua_State* lua) {
  if (lua_gettop(lua) != 1) {
    push_error(lua, "ERR wrong number of arguments");
    return lua_error(lua);
  }
  push_text(lua, sha1_hex(text_at(lua, 1)));
  return 1;
}

void remove_fields(lua_State* lua, std::initializer_list<const char*> names) {
  for (const char* const name : names) {
    lua_pushnil(lua);
    lua_setfield(lua, -2, name);
  }
}

// Gives the table on top a metatable with such a function.
void set_handler(lua_State* lua, const char* event, lua_CFunction function) {
  if (lua_getmetatable(lua, -1) == 0) lua_newtable(lua);
  lua_pushcfunction(lua, function);
  lua_setfield(lua, -2, event);
  lua_setmetatable(lua, -2);
}

// A field of the table on top, as text; "" if it has none.
std::string field(lua_State* lua, const char* name) {
  push_text(lua, name);
  lua_rawget(lua, -2);
  std::string text;
  if (lua_isstring(lua, -1) != 0) text = text_at(lua, -1);
  lua_pop(lua, 1);
  return text;
}

// What explain_error() made of it is on top, or where that failed whatever was raised.
void reply_failure(lua_State* lua, std::string_view sha1, Reply& reply) {
  if (!lua_istable(lua, -1)) {
    const bool is_text = lua_isstring(lua, -1) != 0;
    const std::string text(is_text ? text_at(lua, -1) : "execution failure");
    return reply.error("ERR Error running script " + std::string(sha1) + ", " +
                       text.substr(0, 100));
  }
  std::string error = field(lua, "err");
  const std::string source = field(lua, "source");
  const std::string line = field(lua, "line");
  if (!source.empty() && !line.empty()) {
    error.append(" script: ").append(sha1).append(", on ");
    error.append(source).append(":").append(line).append(".");
  }
  reply.error(error);
}

}  // namespace

Interpreter::Interpreter() : state_(luaL_newstate()) {
  if (state_ == nullptr) throw std::bad_alloc();
  open_libraries();
  open_redis();
  protect_globals();
}

void Interpreter::open_libraries() {
  lua_State* const lua = state_.get();
  for (const lua_CFunction open : {luaopen_base, luaopen_table, luaopen_string, luaopen_math}) {
    lua_pushcfunction(lua, open);
    lua_call(lua, 0, 0);
  }
  lua_pushvalue(lua, LUA_GLOBALSINDEX);
  remove_fields(lua, {"dofile", "loadfile", "print"});
  lua_getfield(lua, -1, "math");
  remove_fields(lua, {"random", "randomseed"});
  lua_settop(lua, 0);
  push_msgpack(lua, packed_);
  lua_setglobal(lua, "cmsgpack");
  lua_pushcfunction(lua, pcall);
  lua_setglobal(lua, "pcall");
}

void Interpreter::open_redis() {
  lua_State* const lua = state_.get();
  const auto add = [this, lua](const char* name, lua_CFunction function) {
    lua_pushlightuserdata(lua, this);
    lua_pushcclosure(lua, function, 1);
    lua_setfield(lua, -2, name);
  };
  lua_newtable(lua);
  add("call", call);
  add("pcall", call_protected);
  add("error_reply", error_reply);
  add("status_reply", status_reply);
  add("sha1hex", sha1hex);
  lua_setglobal(lua, "redis");
}

// Scripts see an empty table, which reads from that of the globals and takes no writes.
void Interpreter::protect_globals() {
  lua_State* const lua = state_.get();
  lua_pushvalue(lua, LUA_GLOBALSINDEX);
  set_handler(lua, "__index", missing_global);
  lua_newtable(lua);
  set_handler(lua, "__newindex", readonly_table);
  lua_getmetatable(lua, -1);
  lua_pushvalue(lua, 1);
  lua_setfield(lua, -2, "__index");
  lua_pop(lua, 1);
  lua_pushvalue(lua, -1);
  lua_setfield(lua, 1, "_G");
  lua_replace(lua, LUA_GLOBALSINDEX);
  globals_ = luaL_ref(lua, LUA_REGISTRYINDEX);
}

std::expected<int, std::string> Interpreter::compile(std::string_view text) {
  lua_State* const lua = state_.get();
  if (luaL_loadbuffer(lua, text.data(), text.size(), "@user_script") == 0) {
    return luaL_ref(lua, LUA_REGISTRYINDEX);
  }
  std::string fault(text_at(lua, -1));
  lua_pop(lua, 1);
  return std::unexpected(std::move(fault));
}

void Interpreter::set_global(const char* name, std::span<const std::string_view> words) {
  lua_State* const lua = state_.get();
  lua_rawgeti(lua, LUA_REGISTRYINDEX, globals_);
  lua_pushstring(lua, name);
  lua_createtable(lua, static_cast<int>(words.size()), 0);
  int place = 0;
  for (const std::string_view word : words) {
    push_text(lua, word);
    lua_rawseti(lua, -2, ++place);
  }
  lua_rawset(lua, -3);
  lua_pop(lua, 1);
}

void Interpreter::run(int function, std::string_view sha1, std::span<const std::string_view> keys,
                      std::span<const std::string_view> arguments, ScriptHost& host, Reply& reply) {
  lua_State* const lua = state_.get();
  host_ = &host;
  set_global("KEYS", keys);
  set_global("ARGV", arguments);
  lua_pushcfunction(lua, explain_error);
  lua_rawgeti(lua, LUA_REGISTRYINDEX, function);
  if (lua_pcall(lua, 0, 1, 1) == 0) {
    reply_value(lua, reply);
  } else {
    reply_failure(lua, sha1, reply);
  }
  lua_settop(lua, 0);
  host_ = nullptr;
}

Interpreter& Interpreter::of(lua_State* lua) {
  return *static_cast<Interpreter*>(lua_touserdata(lua, lua_upvalueindex(1)));
}

int Interpreter::call(lua_State* lua) {
  return of(lua).push_result(lua) ? 1 : lua_error(lua);
}

int Interpreter::call_protected(lua_State* lua) {
  of(lua).push_result(lua);
  return 1;
}

// Runs the command that is on the stack and pushes its reply; false where that is an error.
bool Interpreter::push_result(lua_State* lua) {
  const std::string_view fault = read_words(lua);
  if (!fault.empty()) {
    push_error(lua, fault);
    return false;
  }
  output_.clear();
  host_->call(words_, output_);
  const std::string_view reply = output_;
  if (!reply.starts_with('-')) {
    push_reply(lua, reply);
    return true;
  }
  push_error(lua, reply.substr(1));
  return false;
}

// Into words_; returns what is wrong with them.
std::string_view Interpreter::read_words(lua_State* lua) {
  const int count = lua_gettop(lua);
  if (count == 0) return "ERR Please specify at least one argument for this redis lib call";
  words_.clear();
  numbers_.resize(static_cast<size_t>(count));
  for (int i = 1; i <= count; ++i) {
    if (lua_type(lua, i) == LUA_TSTRING) {
      words_.push_back(text_at(lua, i));
    } else if (lua_type(lua, i) == LUA_TNUMBER) {
      auto& text = numbers_[words_.size()];
      const int size = std::snprintf(text.data(), text.size(), "%.17g", lua_tonumber(lua, i));
      words_.emplace_back(text.data(), static_cast<size_t>(size));
    } else {
      return "ERR Lua redis lib command arguments must be strings or integers";
    }
  }
  return {};
}

}  // namespace toll::sim
