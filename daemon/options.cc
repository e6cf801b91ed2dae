#include "daemon/options.h"

#include <CLI/CLI.hpp>

#include "daemon/version.h"

namespace toll::daemon {

void describe_daemon(CLI::App& app, Options& options) {
  app.name("tollkeeperd");
  app.description("tollkeeperd: rate limits for the gateways of this host, over a Unix socket");
  app.add_option("--config", options.config,
                 "The configuration; default /etc/tollkeeper/tollkeeper.toml if there is one")
      ->type_name("FILE");
  app.add_option("--socket", options.socket, "Listen here instead of server.socket")
      ->type_name("PATH");
  CLI::Option* check =
      app.add_flag("-t,--check", options.check, "Check the configuration and exit");
  app.add_flag("--print-config", options.print_config,
               "Print what is in force and where each value came from, and exit")
      ->excludes(check);
  app.set_version_flag("--version", std::string("tollkeeper ").append(kProgramVersion));
}

ParsedOptions parse_options(int argc, char** argv) {
  ParsedOptions parsed;
  CLI::App app;
  describe_daemon(app, parsed.options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    parsed.exit_status = app.exit(error) == 0 ? 0 : 2;
  }
  return parsed;
}

}  // namespace toll::daemon
