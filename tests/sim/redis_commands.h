// The commands of a simulated Redis: which there are, and what each does.
//
// A command is a function over a Call: it reads the words, looks at the keys and writes its reply.
// That it has as many words as it wants has been seen to before.
//
// The commands on keys lie in redis_key_commands.cc and its like, one file for a type, and know of
// nothing else; those of connections, subscriptions and scripts reach into the server
// (redis_core.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "tests/sim/redis_keys.h"
#include "tests/sim/redis_reply.h"

namespace toll::sim {

struct RedisCore;
struct RedisSession;

struct Call {
  std::span<const std::string_view> words;  // the command's name first
  Keys& keys;
  int64_t now_us;
  int64_t now_ms;
  Reply reply;
  RedisCore& core;
  RedisSession& session;

  // As COMMAND names it, for messages.
  std::string_view name;
};

// Redis' own flags of a command, of which COMMAND INFO tells; the bits are ours.
enum CommandFlag : uint16_t {
  kWrite = 1,         // "write"
  kDenyOom = 2,       // "denyoom": it may need memory
  kNoScript = 4,      // "noscript"
  kLoading = 8,       // "loading": answered while data are loaded
  kStale = 16,        // "stale": answered by a replica without a master
  kAllowBusy = 32,    // "allow_busy": answered while a script does not end
  kNoAuth = 64,       // "no_auth": for those who have not logged in, too
  kContainer = 128,   // has subcommands, under "name|subcommand"
  kSubscribed = 256,  // answered within a subscription
};

struct Command {
  std::string_view name;  // in lower case, as Redis has it in its messages
  int arity;              // the words; at least that many if negative
  uint32_t flags;
  void (*run)(Call&);

  bool has(CommandFlag flag) const { return (flags & flag) != 0; }
  bool takes(size_t words) const {
    return arity >= 0 ? words == static_cast<size_t>(arity) : words >= static_cast<size_t>(-arity);
  }
};

// By name in any case, or null.
const Command* find_command(std::string_view name);
// The subcommand of a container.
const Command* find_subcommand(const Command& container, std::string_view name);
// All, sorted by name.
std::span<const Command* const> all_commands();

std::span<const Command> key_commands();
std::span<const Command> string_commands();
std::span<const Command> list_commands();
std::span<const Command> hash_commands();
std::span<const Command> set_commands();
std::span<const Command> sorted_set_commands();
std::span<const Command> connection_commands();
std::span<const Command> channel_commands();
std::span<const Command> transaction_commands();
std::span<const Command> blocking_commands();
std::span<const Command> script_commands();
std::span<const Command> server_commands();

// For the files of commands.

inline constexpr std::string_view kSyntaxError = "ERR syntax error";
inline constexpr std::string_view kNotWhole = "ERR value is not an integer or out of range";
inline constexpr std::string_view kNotReal = "ERR value is not a valid float";
inline constexpr std::string_view kOverflow = "ERR increment or decrement would overflow";

// The number in that word, or an error reply.
std::optional<int64_t> whole_number_at(Call& call, size_t word);

// What the key of that name holds, if it is a T: `value` stays null where there is no key. Where it
// is of another type that is replied, and false returned.
template <typename T>
bool find_value(Call& call, std::string_view name, T*& value) {
  Key* const key = call.keys.find(name, call.now_ms);
  value = key == nullptr ? nullptr : std::get_if<T>(&key->value);
  if (key == nullptr || value != nullptr) return true;
  call.reply.error("WRONGTYPE Operation against a key holding the wrong kind of value");
  return false;
}

// Likewise, and made where it was not.
template <typename T>
T* find_or_make(Call& call, std::string_view name) {
  T* value = nullptr;
  if (!find_value(call, name, value)) return nullptr;
  if (value != nullptr) return value;
  return &std::get<T>(call.keys.put(name, T{}, call.now_ms).value);
}

// A list or a set that became empty is no key.
template <typename T>
void erase_if_empty(Call& call, std::string_view name, const T& value) {
  if (value.size() == 0) call.keys.erase(name, call.now_ms);
}

// Places from `first` to `last`, counted from the end where negative, of something of that size.
struct PlaceRange {
  size_t first = 0;
  size_t count = 0;
};
PlaceRange places(int64_t first, int64_t last, size_t size);

// LMOVE; of BLMOVE, with the same words in front, where there is something to move.
void lmove(Call& call);
// The words of both that say which ends are meant; or an error reply.
bool has_ends(Call& call);

}  // namespace toll::sim
