// `tollkeeper health [--wait [TIME]]`: one word on how a daemon is, as an exit status, for checks
// of containers and supervisors, and for scripts that must not go on before it is ready.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "daemon/command_options.h"

namespace toll::daemon {

enum class Health : uint8_t {
  kReady = 0,
  kDegraded = 1,  // it answers, but without Redis or without costs
  kDown = 2,      // it does not, or will not for long: it is starting or ending
  kUnknown = 3    // the command line is wrong
};

// Of the state that HEALTH tells.
Health health_of(std::string_view state);

// `words` are those behind "health". Prints what the daemon said last, or why it said nothing.
// Returns a Health.
int run_health_command(const CommandOptions& options, std::span<const std::string> words);

}  // namespace toll::daemon
