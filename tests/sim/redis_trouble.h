// The states a Redis may be in, and what it answers then instead of what it is asked for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tests/sim/redis_commands.h"

namespace toll::sim {

enum class Trouble : uint8_t {
  kNone,
  kLoading,     // LOADING for nearly all: it reads its data
  kBusy,        // BUSY for nearly all: a script does not end
  kMisconf,     // MISCONF for writes and PING: the last snapshot failed
  kOom,         // OOM for what may need memory: maxmemory is reached, with noeviction
  kReadonly,    // READONLY for writes: it is a replica
  kMasterdown,  // MASTERDOWN for nearly all: a replica without a master that serves no stale data
  kNoreplicas,  // NOREPLICAS for writes: too few replicas for min-replicas-to-write
  kNoauth,      // NOAUTH for nearly all, whoever has logged in
  kNoperm,      // NOPERM for nearly all: the user may do nothing
  kMaxclients,  // new clients are told so and closed; those there go on
};

// Whether INFO calls it a slave.
inline bool is_replica(Trouble trouble) {
  return trouble == Trouble::kReadonly || trouble == Trouble::kMasterdown;
}

// What the #!lua line of a script says of it.
struct ScriptTraits {
  bool declared = false;  // there is such a line
  bool no_writes = false;
  bool allow_oom = false;
  bool allow_stale = false;
};

// The flags of a command that runs such a script.
uint32_t flags_with(uint32_t flags, const ScriptTraits& traits);

// The error, with its code, that a client gets instead of having the command of that name and those
// flags run; "" if it is run.
std::string refusal(Trouble trouble, std::string_view name, uint32_t flags);
// The same within a script, which goes on if it has written something already.
std::string_view refusal_in_script(Trouble trouble, const ScriptTraits& traits,
                                   const Command& command, bool has_written);
// The same for a script that declares nothing, before it runs.
std::string_view refusal_of_undeclared(Trouble trouble);

}  // namespace toll::sim
