#include "tests/sim/redis_msgpack.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

// No function here may hold what wants to be destroyed while it calls Lua, whose errors are long
// jumps.
namespace toll::sim {

namespace {

constexpr int kDepthMax = 16;

template <std::integral Number>
void put(std::string& out, uint8_t kind, Number number) {
  out += static_cast<char>(kind);
  for (size_t i = sizeof(Number); i-- > 0;) out += static_cast<char>(number >> (8 * i) & 0xff);
}

// The head of a string, an array or a map, of which kinds there are for 8 (or none), 16 and 32
// bits.
void put_size(std::string& out, size_t size, uint8_t kind_8, uint8_t kind_16) {
  if (kind_8 != 0 && size <= 0xff) {
    put(out, kind_8, static_cast<uint8_t>(size));
  } else if (size <= 0xffff) {
    put(out, kind_16, static_cast<uint16_t>(size));
  } else {
    put(out, static_cast<uint8_t>(kind_16 + 1), static_cast<uint32_t>(size));
  }
}

void put_short(std::string& out, uint8_t kind, size_t size) {
  out += static_cast<char>(kind | size);
}

void pack_whole(std::string& out, int64_t number) {
  if (number >= -32 && number <= 127) {
    out += static_cast<char>(number);
  } else if (number >= 0) {
    if (number <= 0xff) return put(out, 0xcc, static_cast<uint8_t>(number));
    if (number <= 0xffff) return put(out, 0xcd, static_cast<uint16_t>(number));
    if (number <= 0xffffffff) return put(out, 0xce, static_cast<uint32_t>(number));
    put(out, 0xcf, static_cast<uint64_t>(number));
  } else {
    if (number >= INT8_MIN) return put(out, 0xd0, static_cast<int8_t>(number));
    if (number >= INT16_MIN) return put(out, 0xd1, static_cast<int16_t>(number));
    if (number >= INT32_MIN) return put(out, 0xd2, static_cast<int32_t>(number));
    put(out, 0xd3, number);
  }
}

void pack_number(std::string& out, double number) {
  if (number >= -0x1p63 && number < 0x1p63 && number == std::trunc(number)) {
    return pack_whole(out, static_cast<int64_t>(number));
  }
  const auto shorter = static_cast<float>(number);
  if (static_cast<double>(shorter) == number)
    return put(out, 0xca, std::bit_cast<int32_t>(shorter));
  put(out, 0xcb, std::bit_cast<int64_t>(number));
}

// Whether the keys of the table on top are 1 to n; n goes into `count`, else the number of keys.
bool is_array(lua_State* lua, size_t& count) {
  count = 0;
  double most = 0;
  bool whole = true;
  lua_pushnil(lua);
  while (lua_next(lua, -2) != 0) {
    lua_pop(lua, 1);
    ++count;
    const double key = lua_type(lua, -1) == LUA_TNUMBER ? lua_tonumber(lua, -1) : 0;
    whole = whole && key > 0 && key == std::trunc(key);
    most = std::max(most, key);
  }
  return whole && most == static_cast<double>(count);
}

void pack_value(lua_State* lua, std::string& out, int depth);

// Each takes the table on top, and leaves it there.
void pack_array(lua_State* lua, std::string& out, size_t count, int depth) {
  if (count <= 15) {
    put_short(out, 0x90, count);
  } else {
    put_size(out, count, 0, 0xdc);
  }
  for (size_t i = 1; i <= count; ++i) {
    lua_rawgeti(lua, -1, static_cast<int>(i));
    pack_value(lua, out, depth + 1);
  }
}

void pack_map(lua_State* lua, std::string& out, size_t count, int depth) {
  if (count <= 15) {
    put_short(out, 0x80, count);
  } else {
    put_size(out, count, 0, 0xde);
  }
  lua_pushnil(lua);
  while (lua_next(lua, -2) != 0) {
    lua_pushvalue(lua, -2);
    pack_value(lua, out, depth + 1);
    pack_value(lua, out, depth + 1);
  }
}

void pack_table(lua_State* lua, std::string& out, int depth) {
  luaL_checkstack(lua, 5, "in function pack_table");
  size_t count = 0;
  if (is_array(lua, count)) {
    pack_array(lua, out, count, depth);
  } else {
    pack_map(lua, out, count, depth);
  }
}

void pack_string(std::string& out, std::string_view bytes) {
  if (bytes.size() <= 31) {
    put_short(out, 0xa0, bytes.size());
  } else {
    put_size(out, bytes.size(), 0xd9, 0xda);
  }
  out += bytes;
}

// Takes the value on top away.
void pack_value(lua_State* lua, std::string& out, int depth) {
  const int type = lua_type(lua, -1);
  if (type == LUA_TSTRING) {
    size_t size = 0;
    const char* const bytes = lua_tolstring(lua, -1, &size);
    pack_string(out, {bytes, size});
  } else if (type == LUA_TBOOLEAN) {
    out += static_cast<char>(lua_toboolean(lua, -1) != 0 ? 0xc3 : 0xc2);
  } else if (type == LUA_TNUMBER) {
    pack_number(out, lua_tonumber(lua, -1));
  } else if (type == LUA_TTABLE && depth < kDepthMax) {
    pack_table(lua, out, depth);
  } else {
    out += '\xc0';
  }
  lua_pop(lua, 1);
}

int pack(lua_State* lua) {
  std::string& out = *static_cast<std::string*>(lua_touserdata(lua, lua_upvalueindex(1)));
  const int count = lua_gettop(lua);
  if (count == 0) return luaL_argerror(lua, 0, "MessagePack pack needs input.");
  luaL_checkstack(lua, 3, "Too many arguments for MessagePack pack.");
  out.clear();
  for (int i = 1; i <= count; ++i) {
    lua_pushvalue(lua, i);
    pack_value(lua, out, 0);
  }
  lua_pushlstring(lua, out.data(), out.size());
  return 1;
}

struct Input {
  lua_State* lua;
  const char* at;
  size_t left;

  const char* take(size_t size) {
    if (left < size) luaL_error(lua, "Missing bytes in input.");
    const char* const bytes = at;
    at += size;
    left -= size;
    return bytes;
  }
  template <std::unsigned_integral Number>
  Number take_number() {
    const char* const bytes = take(sizeof(Number));
    uint64_t number = 0;
    for (size_t i = 0; i < sizeof(Number); ++i) {
      number = number << 8 | static_cast<uint8_t>(bytes[i]);
    }
    return static_cast<Number>(number);
  }
};

void unpack_value(Input& input);

void unpack_string(Input& input, size_t size) {
  const char* const bytes = input.take(size);
  lua_pushlstring(input.lua, bytes, size);
}

void unpack_array(Input& input, size_t count) {
  // Each element has a byte at least, whatever the head says.
  lua_createtable(input.lua, static_cast<int>(std::min(count, input.left)), 0);
  for (size_t i = 1; i <= count; ++i) {
    unpack_value(input);
    lua_rawseti(input.lua, -2, static_cast<int>(i));
  }
}

void unpack_map(Input& input, size_t count) {
  lua_newtable(input.lua);
  for (size_t i = 0; i < count; ++i) {
    unpack_value(input);
    unpack_value(input);
    lua_settable(input.lua, -3);
  }
}

template <typename Number>
void push(Input& input, Number number) {
  lua_pushnumber(input.lua, static_cast<lua_Number>(number));
}

// What has its length or value in bytes of its own.
void unpack_long(Input& input, uint8_t kind) {
  switch (kind) {
    case 0xc0:
      return lua_pushnil(input.lua);
    case 0xc2:
    case 0xc3:
      return lua_pushboolean(input.lua, kind == 0xc3);
    case 0xca:
      return push(input, std::bit_cast<float>(input.take_number<uint32_t>()));
    case 0xcb:
      return push(input, std::bit_cast<double>(input.take_number<uint64_t>()));
    case 0xcc:
      return push(input, input.take_number<uint8_t>());
    case 0xcd:
      return push(input, input.take_number<uint16_t>());
    case 0xce:
      return push(input, input.take_number<uint32_t>());
    case 0xcf:  // as the library has it
    case 0xd3:
      return push(input, static_cast<int64_t>(input.take_number<uint64_t>()));
    case 0xd0:
      return push(input, static_cast<int8_t>(input.take_number<uint8_t>()));
    case 0xd1:
      return push(input, static_cast<int16_t>(input.take_number<uint16_t>()));
    case 0xd2:
      return push(input, static_cast<int32_t>(input.take_number<uint32_t>()));
    case 0xd9:
      return unpack_string(input, input.take_number<uint8_t>());
    case 0xda:
      return unpack_string(input, input.take_number<uint16_t>());
    case 0xdb:
      return unpack_string(input, input.take_number<uint32_t>());
    case 0xdc:
      return unpack_array(input, input.take_number<uint16_t>());
    case 0xdd:
      return unpack_array(input, input.take_number<uint32_t>());
    case 0xde:
      return unpack_map(input, input.take_number<uint16_t>());
    case 0xdf:
      return unpack_map(input, input.take_number<uint32_t>());
    default:
      luaL_error(input.lua, "Bad data format in input.");
  }
}

// Pushes the next value.
void unpack_value(Input& input) {
  luaL_checkstack(input.lua, 3, "too many return values at once; use unpack_one or unpack_limit");
  const auto kind = input.take_number<uint8_t>();
  if (kind <= 0x7f) return push(input, kind);
  if (kind >= 0xe0) return push(input, static_cast<int8_t>(kind));
  if (kind <= 0x8f) return unpack_map(input, kind & 0xf);
  if (kind <= 0x9f) return unpack_array(input, kind & 0xf);
  if (kind <= 0xbf) return unpack_string(input, kind & 0x1f);
  unpack_long(input, kind);
}

int unpack(lua_State* lua) {
  size_t size = 0;
  const char* const bytes = luaL_checklstring(lua, 1, &size);
  Input input{lua, bytes, size};
  int count = 0;
  for (; input.left > 0; ++count) unpack_value(input);
  return count;
}

}  // namespace

void push_msgpack(lua_State* lua, std::string& buffer) {
  lua_newtable(lua);
  lua_pushlightuserdata(lua, &buffer);
  lua_pushcclosure(lua, pack, 1);
  lua_setfield(lua, -2, "pack");
  lua_pushcfunction(lua, unpack);
  lua_setfield(lua, -2, "unpack");
}

}  // namespace toll::sim
