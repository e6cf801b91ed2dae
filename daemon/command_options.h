// The command line of `tollkeeper`: its options, and the words behind them.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/client_connection.h"

// NOLINTNEXTLINE(readability-identifier-naming): the name that CLI11 gives it
namespace CLI {
class App;
}

namespace toll::daemon {

struct CommandOptions {
  ClientSettings client;
  bool json = false;
  std::string file;
  std::string timeout = "5s";  // as it was given; client.timeout once it was read
  std::vector<std::string> words;
};

// Gives `app` its name, its help and its options, which will be put into `options`. Both must
// outlive its parsing.
void describe_command(CLI::App& app, CommandOptions& options);

// The options, or the exit status of a process that is done with having read them.
std::expected<CommandOptions, int> parse_command_options(int argc, char** argv);

// "tollkeeper: why" on standard error.
void complain(std::string_view why);

}  // namespace toll::daemon
