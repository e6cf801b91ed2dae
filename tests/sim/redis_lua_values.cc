#include "tests/sim/redis_lua_values.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

namespace toll::sim {

namespace {

// Reads a reply that is known to be whole.
struct ReplyText {
  std::string_view left;

  std::string_view take(size_t size) {
    const std::string_view bytes = left.substr(0, size);
    left.remove_prefix(size + 2);
    return bytes;
  }
  std::string_view take_line() { return take(left.find('\r')); }
  char take_kind() {
    const char kind = left[0];
    left.remove_prefix(1);
    return kind;
  }
  int64_t take_number() {
    const std::string_view line = take_line();
    int64_t number = 0;
    std::from_chars(line.data(), line.data() + line.size(), number);
    return number;
  }
};

void push_next(lua_State* lua, ReplyText& text) {
  luaL_checkstack(lua, 3, "redis.call");
  const char kind = text.take_kind();
  if (kind == ':') return lua_pushnumber(lua, static_cast<lua_Number>(text.take_number()));
  if (kind == '+') {
    lua_newtable(lua);
    push_text(lua, text.take_line());
    return lua_setfield(lua, -2, "ok");
  }
  const int64_t size = text.take_number();
  if (size < 0) return lua_pushboolean(lua, 0);
  if (kind == '$') return push_text(lua, text.take(static_cast<size_t>(size)));
  lua_createtable(lua, static_cast<int>(size), 0);
  for (int i = 1; i <= size; ++i) {
    push_next(lua, text);
    lua_rawseti(lua, -2, i);
  }
}

// As the processor makes it of what is beyond 64 bits.
int64_t whole(double number) {
  if (number >= -0x1p63 && number < 0x1p63) return static_cast<int64_t>(number);
  return std::numeric_limits<int64_t>::min();
}

// The elements up to the first that is not there.
void reply_array(lua_State* lua, Reply& reply) {
  int count = 0;
  for (;; ++count) {
    lua_rawgeti(lua, -1, count + 1);
    const bool ended = lua_isnil(lua, -1);
    lua_pop(lua, 1);
    if (ended) break;
  }
  reply.array(static_cast<size_t>(count));
  for (int i = 1; i <= count; ++i) {
    lua_rawgeti(lua, -1, i);
    reply_value(lua, reply);
    lua_pop(lua, 1);
  }
}

// Pushes that field of the table on top; whether it is a string, as `err` and `ok` must be.
bool push_field(lua_State* lua, std::string_view name) {
  push_text(lua, name);
  lua_rawget(lua, -2);
  return lua_type(lua, -1) == LUA_TSTRING;
}

void reply_table(lua_State* lua, Reply& reply) {
  const bool failed = push_field(lua, "err");
  if (failed) reply.error(lua_tostring(lua, -1));
  lua_pop(lua, 1);
  if (failed) return;
  const bool is_status = push_field(lua, "ok");
  if (is_status) {
    std::string text = lua_tostring(lua, -1);
    std::ranges::replace_if(text, [](char c) { return c == '\r' || c == '\n'; }, ' ');
    reply.status(text);
  }
  lua_pop(lua, 1);
  if (!is_status) reply_array(lua, reply);
}

}  // namespace

std::string_view text_at(lua_State* lua, int index) {
  size_t size = 0;
  const char* const bytes = lua_tolstring(lua, index, &size);
  return {bytes, size};
}

void push_text(lua_State* lua, std::string_view text) {
  lua_pushlstring(lua, text.data(), text.size());
}

void push_reply(lua_State* lua, std::string_view reply) {
  ReplyText text{reply};
  push_next(lua, text);
}

void push_error(lua_State* lua, std::string_view error) {
  constexpr std::string_view kEnds = "\r\n";
  std::string_view code = "ERR";
  const size_t blank = error.find(' ');
  if (blank != error.npos) {
    code = error.substr(0, blank);
    error.remove_prefix(blank + 1);
  }
  error.remove_prefix(std::min(error.find_first_not_of(kEnds), error.size()));
  error = error.substr(0, error.find_last_not_of(kEnds) + 1);
  lua_newtable(lua);
  push_text(lua, code);
  push_text(lua, " ");
  push_text(lua, error);
  lua_concat(lua, 3);
  lua_setfield(lua, -2, "err");
}

void reply_value(lua_State* lua, Reply& reply) {
  if (lua_checkstack(lua, 4) == 0) return reply.error("ERR reached lua stack limit");
  switch (lua_type(lua, -1)) {
    case LUA_TSTRING:
      return reply.bulk(text_at(lua, -1));
    case LUA_TNUMBER:
      return reply.integer(whole(lua_tonumber(lua, -1)));
    case LUA_TBOOLEAN:
      return lua_toboolean(lua, -1) != 0 ? reply.integer(1) : reply.null_bulk();
    case LUA_TTABLE:
      return reply_table(lua, reply);
    default:
      return reply.null_bulk();
  }
}

}  // namespace toll::sim
