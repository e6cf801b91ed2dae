// `tollkeeper top [--once] [--interval TIME]`: what a daemon does, live on the terminal, or once as
// plain text where there is none.
#pragma once

#include <span>
#include <string>

#include "daemon/command_options.h"

namespace toll::daemon {

// `words` are those behind "top". Returns the exit status: 0 after q or as text, 2 the words are
// wrong, 3 no daemon answers; 128 and the signal's number where one ended it.
int run_top_command(const CommandOptions& options, std::span<const std::string> words);

}  // namespace toll::daemon
