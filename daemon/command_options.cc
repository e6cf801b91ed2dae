#include "daemon/command_options.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <fmt/format.h>

#include "daemon/numbers.h"
#include "daemon/own_commands.h"
#include "daemon/reply_printer.h"
#include "daemon/version.h"

namespace toll::daemon {
namespace {

constexpr const char* kCommandAbout =
    "tollkeeper: asks the tollkeeperd of this host\n\n"
    "Behind the options stands a request, VERB ARGUMENTS...: it is sent, and its reply printed.\n"
    "Without one, requests are read from FILE, from a pipe, one a line, or from a prompt.\n\n"
    "  tollkeeper CHECK api alice\n"
    "  tollkeeper --json HEALTH\n"
    "  tollkeeper -f requests.txt\n\n"
    "Exit status of a request: 0 OK, ALLOW or LIST; 1 DENY; 2 ERR; 3 no daemon answers. Of\n"
    "several replies, the worst.";

std::string own_commands_help() {
  std::string text = "Commands of its own:\n";
  for (const OwnCommand& own : own_commands()) {
    text += fmt::format("  tollkeeper {}\n      {}\n", own.usage, own.help);
  }
  return text;
}

}  // namespace

void describe_command(CLI::App& app, CommandOptions& options) {
  app.name("tollkeeper");
  app.description(kCommandAbout);
  app.footer(own_commands_help);
  app.add_option("--socket", options.client.socket,
                 "The daemon's socket; default $TOLLKEEPER_SOCKET, then where a daemon may be")
      ->type_name("PATH");
  app.add_flag("--json", options.json, "Print each reply as one line of JSON");
  app.add_option("-f,--file", options.file, "Read requests from this file; - is standard input")
      ->type_name("FILE");
  app.add_option("--timeout", options.timeout, "How long to wait for a reply")
      ->type_name("TIME")
      ->capture_default_str();
  app.set_version_flag("--version", fmt::format("tollkeeper {}", kProgramVersion));
  // From the verb on every word is the request's, also one that looks like an option.
  app.prefix_command();
}

std::expected<CommandOptions, int> parse_command_options(int argc, char** argv) {
  CommandOptions options;
  CLI::App app;
  describe_command(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return std::unexpected(app.exit(error) == 0 ? 0 : static_cast<int>(ExitStatus::kError));
  }
  options.words = app.remaining();
  std::string wrong;
  int64_t timeout_us = 0;
  if (!parse_ttl(options.timeout, timeout_us) || timeout_us > INT64_C(86'400'000'000)) {
    wrong = "--timeout: a time from 1ms to 1d is expected, as 5s or 250ms";
  } else if (!options.words.empty() && !options.file.empty()) {
    wrong = "a request and -f FILE exclude each other";
  } else if (!options.words.empty() && options.words[0].starts_with('-')) {
    wrong = fmt::format("{}: no such option; --help lists them", options.words[0]);
  }
  if (!wrong.empty()) {
    complain(wrong);
    return std::unexpected(static_cast<int>(ExitStatus::kError));
  }
  options.client.timeout =
      std::chrono::ceil<std::chrono::milliseconds>(std::chrono::microseconds(timeout_us));
  return options;
}

void complain(std::string_view why) {
  ReplyPrinter(false).complain(fmt::format("tollkeeper: {}", why));
}

}  // namespace toll::daemon
