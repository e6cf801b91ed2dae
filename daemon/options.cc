#include "daemon/options.h"

#include <CLI/CLI.hpp>

#include "daemon/version.h"

namespace toll::daemon {

ParsedOptions parse_options(int argc, char** argv) {
  ParsedOptions parsed;
  CLI::App app("tollkeeperd: rate limits for the gateways of this host, over a Unix socket");
  app.name("tollkeeperd");
  app.add_option("--config", parsed.options.config,
                 "The configuration; default /etc/tollkeeper/tollkeeper.toml if there is one");
  app.add_option("--socket", parsed.options.socket, "Listen here instead of server.socket");
  CLI::Option* check =
      app.add_flag("-t,--check", parsed.options.check, "Check the configuration and exit");
  app.add_flag("--print-config", parsed.options.print_config,
               "Print what is in force and where each value came from, and exit")
      ->excludes(check);
  app.set_version_flag("--version", std::string("tollkeeper ").append(kProgramVersion));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    parsed.exit_status = app.exit(error) == 0 ? 0 : 2;
  }
  return parsed;
}

}  // namespace toll::daemon
