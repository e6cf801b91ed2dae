// `tollkeeper status`: one screen on how a daemon is, made of what it says to HEALTH, STATS,
// POLICIES and VERSION.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "daemon/command_options.h"
#include "daemon/daemon_view.h"

namespace toll::daemon {

// `words` are those behind "status": none. Returns a Health (daemon/health_command.h).
int run_status_command(const CommandOptions& options, std::span<const std::string> words);

// The screen; ends without a line end. `now_s` since the Unix epoch, for when it was started.
std::string status_text(const DaemonView& view, int64_t now_s);
// One line of JSON: version, health, stats and policies.
std::string status_json(const DaemonView& view);

}  // namespace toll::daemon
