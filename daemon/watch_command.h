// `tollkeeper watch TOPIC...`: prints what happens until it is interrupted.
#pragma once

#include <span>
#include <string>

#include "daemon/client_connection.h"
#include "daemon/reply_printer.h"

namespace toll::daemon {

// `words` are those behind "watch". Finds the daemon again whenever it was lost, and says so on
// stderr. Returns only if it cannot begin: nobody answers, or the daemon does not take the topics.
ExitStatus run_watch_command(const ClientSettings& settings, std::span<const std::string> words,
                             ReplyPrinter& printer);

}  // namespace toll::daemon
