// The command line of tollkeeperd.
#pragma once

#include <optional>
#include <string>

// NOLINTNEXTLINE(readability-identifier-naming): the name that CLI11 gives it
namespace CLI {
class App;
}

namespace toll::daemon {

struct Options {
  std::optional<std::string> config;
  std::optional<std::string> socket;
  bool check = false;
  bool print_config = false;
};

// The options, or the exit status after --help, --version or a fault was printed.
struct ParsedOptions {
  Options options;
  std::optional<int> exit_status;
};

// Gives `app` its name, its help and its options, which will be put into `options`. Both must
// outlive its parsing.
void describe_daemon(CLI::App& app, Options& options);

ParsedOptions parse_options(int argc, char** argv);

}  // namespace toll::daemon
