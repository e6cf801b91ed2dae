// cmsgpack's pack and unpack, as Redis' scripts have them: the same bytes for the same values.
//
// A number that is whole goes as the shortest integer, any other as the shortest float; a table
// with the keys 1 to n as an array, any other as a map, and 16 levels down as nil; what cannot be
// packed as nil.
#pragma once

#include <lua.hpp>
#include <string>

namespace toll::sim {

// Pushes a table with both. pack() works in `buffer`, which must outlive the state.
void push_msgpack(lua_State* lua, std::string& buffer);

}  // namespace toll::sim
