// The `tollkeeper` command: asks a daemon, once, many times, or at a prompt.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <clocale>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <span>
#include <string>
#include <unistd.h>
#include <vector>

#include "daemon/client_connection.h"
#include "daemon/health_command.h"
#include "daemon/journal_command.h"
#include "daemon/numbers.h"
#include "daemon/prompt.h"
#include "daemon/reply_printer.h"
#include "daemon/request_batch.h"
#include "daemon/request_line.h"
#include "daemon/version.h"

namespace toll::daemon {
namespace {

constexpr const char* kAbout =
    "tollkeeper [OPTIONS] [VERB ARGUMENTS...]\n\n"
    "Asks a tollkeeperd. With a request: prints its reply. Without: reads requests from a pipe or\n"
    "from FILE, one a line, or from a prompt.\n\n"
    "  tollkeeper CHECK api alice\n"
    "  tollkeeper --json HEALTH\n"
    "  tollkeeper -f requests.txt\n"
    "  tollkeeper journal ls|verify|dump [DIRECTORY]   (without a daemon, from its files)\n"
    "  tollkeeper health [--wait [TIME]]   (exit status: 0 ready, 1 degraded, 2 down)\n\n"
    "Exit status: 0 OK, ALLOW or LIST; 1 DENY; 2 ERR; 3 no daemon answers. Of several replies,\n"
    "the worst.";

struct Options {
  ClientSettings client;
  bool json = false;
  std::string file;
  std::vector<std::string> words;
};

ExitStatus fail(ExitStatus status, const std::string& why) {
  fmt::print(stderr, "tollkeeper: {}\n", why);
  return status;
}

// The options, or the exit status of a process that is done with having read them.
std::expected<Options, int> parse_options(int argc, char** argv) {
  Options options;
  std::string timeout = "5s";
  CLI::App app(kAbout, "tollkeeper");
  app.add_option("--socket", options.client.socket,
                 "The daemon's socket; default $TOLLKEEPER_SOCKET, then where a daemon may be");
  app.add_flag("--json", options.json, "Print each reply as one line of JSON");
  app.add_option("-f,--file", options.file, "Read requests from this file; - is standard input");
  app.add_option("--timeout", timeout, "How long to wait for a reply")->capture_default_str();
  app.set_version_flag("--version", fmt::format("tollkeeper {}", kProgramVersion));
  // From the verb on every word is the request's, also one that looks like an option.
  app.prefix_command();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return std::unexpected(app.exit(error) == 0 ? 0 : static_cast<int>(ExitStatus::kError));
  }
  options.words = app.remaining();
  std::string wrong;
  int64_t timeout_us = 0;
  if (!parse_ttl(timeout, timeout_us) || timeout_us > INT64_C(86'400'000'000)) {
    wrong = "--timeout: a time from 1ms to 1d is expected, as 5s or 250ms";
  } else if (!options.words.empty() && !options.file.empty()) {
    wrong = "a request and -f FILE exclude each other";
  } else if (!options.words.empty() && options.words[0].starts_with('-')) {
    wrong = fmt::format("{}: no such option; --help lists them", options.words[0]);
  }
  if (!wrong.empty()) return std::unexpected(static_cast<int>(fail(ExitStatus::kError, wrong)));
  options.client.timeout =
      std::chrono::ceil<std::chrono::milliseconds>(std::chrono::microseconds(timeout_us));
  return options;
}

ExitStatus run_one(ClientConnection& connection, const Options& options, ReplyPrinter& printer) {
  const auto request = request_of_words(options.words);
  if (!request) return fail(ExitStatus::kError, request.error());
  const auto reply = connection.ask(*request);
  if (!reply) return fail(ExitStatus::kNoDaemon, reply.error());
  printer.print(*reply);
  return printer.worst();
}

ExitStatus run_batch(ClientConnection& connection, int input, ReplyPrinter& printer) {
  const auto done = RequestBatch(connection, input, printer).run();
  printer.flush();
  if (done) return printer.worst();
  return std::max(printer.worst(), fail(done.error().status, done.error().message));
}

ExitStatus run(const Options& options) {
  int input = STDIN_FILENO;
  if (!options.file.empty() && options.file != "-") {
    input = open(options.file.c_str(), O_RDONLY | O_CLOEXEC);
    if (input < 0) {
      return fail(ExitStatus::kError, fmt::format("{}: {}", options.file, std::strerror(errno)));
    }
  }
  auto connection = ClientConnection::open(options.client);
  if (!connection) return fail(ExitStatus::kNoDaemon, connection.error());
  ReplyPrinter printer(options.json);
  if (!options.words.empty()) return run_one(*connection, options, printer);
  if (options.file.empty() && isatty(STDIN_FILENO) == 1) {
    run_prompt(std::move(*connection), options.client, printer);
    return ExitStatus::kOk;
  }
  return run_batch(*connection, input, printer);
}

// Has exit statuses of its own.
int run_health(const Options& options) {
  const auto health = parse_health(std::span(options.words).subspan(1));
  if (!health) {
    fail(ExitStatus::kError, health.error());
    return static_cast<int>(Health::kUnknown);
  }
  ReplyPrinter printer(options.json);
  std::string error;
  const Health found =
      ask_health(options.client, *health, [&](const Reply& reply) { printer.print(reply); }, error);
  if (!error.empty()) fail(ExitStatus::kNoDaemon, error);
  return static_cast<int>(found);
}

}  // namespace
}  // namespace toll::daemon

int main(int argc, char** argv) {
  std::setlocale(LC_CTYPE, "");  // or the prompt could not be given an id that is not ASCII
  const auto options = toll::daemon::parse_options(argc, argv);
  if (!options) return options.error();
  const auto& words = options->words;
  if (!words.empty() && words[0] == "journal") {
    return toll::daemon::run_journal_command(std::span(words).subspan(1), options->json, stdout);
  }
  if (!words.empty() && words[0] == "health") return toll::daemon::run_health(*options);
  return static_cast<int>(toll::daemon::run(*options));
}
