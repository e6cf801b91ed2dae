// The daemon's log: spdlog to standard error, as text, as JSON lines, or with the priorities that
// the journal reads.
//
// Set up once by main. Lines are written for starts, ends, reloads and transitions, never for a
// request.
#pragma once

#include "config/settings.h"

namespace toll::daemon {

// Throws spdlog::spdlog_ex if the sink cannot be made (start-up).
void set_up_log(const config::LogSettings& settings);

// Any thread; takes effect at once.
void set_log_level(config::LogLevel level);

}  // namespace toll::daemon
