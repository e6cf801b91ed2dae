// The one table of what can be asked: names, arities, permissions, help.
//
// Read-only; any thread. HELP, completion at the prompt, arity errors and the permission check are
// all made from it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace toll::daemon {

enum class Command : uint8_t {
  kCheck,
  kPeek,
  kRefund,
  kCharge,
  kReset,
  kAcquire,
  kRelease,
  kThrottle,  // CL.THROTTLE
  kCost,
  kBudget,
  kLog,
  kWatch,
  kPing,
  kHealth,
  kStats,
  kPolicies,
  kHot,
  kConfig,
  kReload,
  kLevel,
  kDrain,
  kVersion,
  kHelp,
  // What a Redis client's connection handshake sends.
  kEcho,
  kQuit,
  kSelect,
  kCommandDocs,  // COMMAND ...
  kClient,
  kHello,
};

enum class Permission : uint8_t { kAnyone, kAdmin };

struct CommandInfo {
  std::string_view name;  // upper case
  Command command;
  Permission permission;
  uint16_t arguments_min;  // words after the verb
  uint16_t arguments_max;
  // CHECK's third form repeats `policy id units`: with more than 3 arguments their number must be a
  // multiple of this. 0 for everything else.
  uint16_t arguments_step;
  std::string_view usage;  // "CHECK policy id [units]"
  std::string_view help;   // one sentence

  bool arity_ok(size_t arguments) const;
};

std::span<const CommandInfo> commands();

// By name, any case; null if there is none. Never allocates.
const CommandInfo* find_command(std::string_view word);

}  // namespace toll::daemon
