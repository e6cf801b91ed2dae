// Reading the configuration: file, environment and command line become Settings, or a list of
// faults.
//
// Reads files; keeps nothing. Throws nothing. Not for a worker's thread: it allocates and blocks.
#pragma once

#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/settings.h"

namespace toll::config {

// One thing that is wrong: `file:line:column: key: what is wrong, what is expected`.
struct Fault {
  std::string where;  // "tollkeeper.toml:12:8", or "environment", or "command line"
  std::string key;    // "server.workers", or the variable's name
  std::string message;

  std::string text() const;
};

struct Sources {
  // The file to read. Unset: the default path if there is such a file, else the embedded defaults.
  std::optional<std::string> file;
  std::optional<std::string> socket;               // --socket
  std::map<std::string, std::string> environment;  // see process_environment()
};

// One line of --print-config.
struct Setting {
  std::string key;    // "server.workers", "policies.api.limits"
  std::string value;  // as TOML, secrets masked
  std::string
      origin;  // "default", "file:line", "environment TOLLKEEPER_SERVER_WORKERS", "command line"
  bool secret = false;  // `value` is a mask; printed as a comment, not to be read back
};

struct Loaded {
  Settings settings;
  std::string file;                   // what was read; "" for the embedded defaults
  std::vector<Setting> printed;       // in the order of the file format
  std::vector<std::string> warnings;  // sentences for the log: what is set but has no effect here
};

inline constexpr std::string_view kDefaultFile = "/etc/tollkeeper/tollkeeper.toml";

// The settings in force, or every fault there is, never half of either. The policies have passed
// engine::PolicyTable::build as well.
std::expected<Loaded, std::vector<Fault>> load(const Sources& sources);

std::map<std::string, std::string> process_environment();

// What --print-config prints: valid TOML, each line with a comment that says where it came from.
std::string print(const Loaded& loaded);

// What --check prints of a configuration without a fault: a line.
std::string good(const Loaded& loaded);

// Keys whose values differ and that only a restart can change ("server.socket", ...). For a reload.
std::vector<std::string> fixed_differences(const Settings& running, const Settings& wanted);

// Can only a restart change the key? `key` is that of a Setting.
bool needs_restart(std::string_view key);

// What is in force once a daemon that runs by `running` has read `wanted`.
std::vector<Setting> in_force_after_reload(const std::vector<Setting>& running,
                                           std::vector<Setting> wanted);

// "info" <-> LogLevel::kInfo, for LEVEL.
std::optional<LogLevel> parse_level(std::string_view text);
std::string_view to_string(LogLevel level);

}  // namespace toll::config
