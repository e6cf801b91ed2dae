// How a line of the log looks: as text, as JSON, or as the journal reads it.
//
// Whatever a message holds, it is one line of UTF-8: control characters, what is no UTF-8, and what
// some take for the end of a line are escaped, and what is too long is cut.
#pragma once

#include <memory>
#include <spdlog/formatter.h>

#include "config/settings.h"

namespace toll::daemon {

// `format` is none but text, JSON or journal. The formatter is for one thread at a time.
std::unique_ptr<spdlog::formatter> make_log_formatter(config::LogFormat format);

}  // namespace toll::daemon
