// The one table of the words that `tollkeeper` understands itself, beside the verbs of the daemon
// (daemon/commands.h): --help, dispatch, the shells' completions and the manual page are made of
// it.
//
// Read-only; any thread. Each command has a file of its own.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "daemon/command_options.h"

namespace toll::daemon {

struct OwnCommand {
  std::string_view name;  // small letters, as it must be typed: verbs in capitals are the daemon's
  // The name, and what may follow. Small letters and --options are typed as they are, capitals
  // stand for something (FILE and DIRECTORY for paths); | sets choices apart, [] is what may be
  // left out.
  std::string_view usage;
  std::string_view help;  // sentences, with the exit status where it is not that of a request
  // `words` are those behind the name. Returns the exit status.
  int (*run)(const CommandOptions& options, std::span<const std::string> words);
};

std::span<const OwnCommand> own_commands();

// Null if there is none of that name.
const OwnCommand* find_own_command(std::string_view name);

}  // namespace toll::daemon
