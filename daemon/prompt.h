// The prompt of the `tollkeeper` command: a line, its reply, the next line; with history and
// completion.
//
// Owns the terminal while it runs; one prompt per process, because the line editor keeps its state
// in globals. The history lies in $XDG_STATE_HOME/tollkeeper/history (~/.local/state by default),
// readable by its owner alone: ids are people's.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/client_connection.h"
#include "daemon/reply_printer.h"

namespace toll::daemon {

// Until `exit` or Ctrl-D. A daemon that went away is looked for again before each request.
void run_prompt(ClientConnection connection, const ClientSettings& settings, ReplyPrinter& printer);

}  // namespace toll::daemon
