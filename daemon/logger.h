// The daemon's log: spdlog to standard error, as text, as JSON lines, or with the priorities that
// the journal reads.
//
// Lines are written for starts, ends, reloads and transitions, never for a request, and by a thread
// of their own (daemon/logging_sink.h). No id of a client's is told above level debug.
#pragma once

#include <cstdint>
#include <memory>

#include "config/settings.h"

namespace toll::daemon {

class LoggingSink;

// The log of the process while it lives; made once, by main, when the process' signals are blocked.
// At its end what was said is written, if anybody reads it.
class Log {
 public:
  // Throws std::system_error or spdlog::spdlog_ex (start-up).
  explicit Log(const config::LogSettings& settings);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // Lines dropped so far, since nobody read those before them. Any thread, while it lives.
  uint64_t dropped() const;

 private:
  std::shared_ptr<LoggingSink> sink_;
};

// Any thread; takes effect at once.
void set_log_level(config::LogLevel level);

}  // namespace toll::daemon
