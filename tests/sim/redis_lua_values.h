// Redis' replies as values of a script, and a script's values as replies.
#pragma once

#include <lua.hpp>
#include <string_view>

#include "tests/sim/redis_reply.h"

namespace toll::sim {

// The string or number there as text. Good for as long as it is on the stack.
std::string_view text_at(lua_State* lua, int index);
void push_text(lua_State* lua, std::string_view text);

// Pushes what redis.call() returns for a whole reply in RESP2 that is no error. May raise an error.
void push_reply(lua_State* lua, std::string_view reply);
// Pushes {err = ...}. A text without a code, which is a single word, is given ERR.
void push_error(lua_State* lua, std::string_view error);

// Replies the value on top of the stack, which stays there. Raises no error.
void reply_value(lua_State* lua, Reply& reply);

}  // namespace toll::sim
