// `tollkeeper health [--wait [TIME]]`: one word on how a daemon is, as an exit status, for checks
// of containers and supervisors, and for scripts that must not go on before it is ready.
#pragma once

#include <chrono>
#include <expected>
#include <functional>
#include <span>
#include <string>

#include "daemon/client_connection.h"

namespace toll::daemon {

enum class Health : uint8_t {
  kReady = 0,
  kDegraded = 1,  // it answers, but without Redis or without costs
  kDown = 2,      // it does not, or will not for long: it is starting or ending
  kUnknown = 3    // the command line is wrong
};

struct HealthOptions {
  std::chrono::milliseconds wait{0};  // for it to be ready
};

// `words` are those behind "health". Error: what is wrong with them.
std::expected<HealthOptions, std::string> parse_health(std::span<const std::string> words);

// Asks, and again until it is ready or the wait is over. `tell` gets what the daemon said last, if
// it said anything; else `error` says why not.
Health ask_health(const ClientSettings& settings, const HealthOptions& options,
                  const std::function<void(const Reply&)>& tell, std::string& error);

}  // namespace toll::daemon
