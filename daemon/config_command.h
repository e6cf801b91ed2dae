// `tollkeeper config check|show|diff [FILE]`: a configuration, without a daemon or against the one
// that runs.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/load.h"
#include "daemon/command_options.h"

namespace toll::daemon {

// `words` are those behind "config". Returns the exit status: of check and show as tollkeeperd's
// --check and --print-config; of diff 0 the same, 1 different, 2 a fault of the file or the command
// line or an error of the daemon, 3 no daemon.
int run_config_command(const CommandOptions& options, std::span<const std::string> words);

// What would come of a difference.
enum class Taken : uint8_t {
  kByReload,
  kByRestart,
  kNever  // the environment or the command line of the daemon says otherwise
};

struct ConfigDifference {
  std::string key;
  std::string running;  // as TOML; "" if it is not there
  std::string wanted;   // likewise
  std::string origin;   // of what runs
  Taken taken = Taken::kByReload;
};

// In what a file's settings, `wanted`, differ from those of a daemon. What nobody said and what
// follows from other rows (a default, on both sides) is left out.
std::vector<ConfigDifference> config_differences(const std::vector<config::Setting>& running,
                                                 const std::vector<config::Setting>& wanted);

}  // namespace toll::daemon
