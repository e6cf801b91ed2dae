// The `tollkeeper` command: asks a daemon, once, many times, or at a prompt.

#include <algorithm>
#include <cerrno>
#include <clocale>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <string>
#include <unistd.h>
#include <vector>

#include "daemon/client_connection.h"
#include "daemon/command_options.h"
#include "daemon/own_commands.h"
#include "daemon/prompt.h"
#include "daemon/reply_printer.h"
#include "daemon/request_batch.h"
#include "daemon/request_line.h"

namespace toll::daemon {
namespace {

ExitStatus fail(ExitStatus status, const std::string& why) {
  complain(why);
  return status;
}

ExitStatus run_one(ClientConnection& connection, const CommandOptions& options,
                   ReplyPrinter& printer) {
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

ExitStatus run(const CommandOptions& options) {
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

// --json may stand behind a word of our own as well: there it is no request's.
int run_own(const OwnCommand& own, CommandOptions options) {
  std::vector<std::string> words(options.words.begin() + 1, options.words.end());
  if (std::erase(words, "--json") > 0) options.json = true;
  return own.run(options, words);
}

}  // namespace
}  // namespace toll::daemon

int main(int argc, char** argv) {
  std::setlocale(LC_CTYPE, "");  // or the prompt could not be given an id that is not ASCII
  const auto options = toll::daemon::parse_command_options(argc, argv);
  if (!options) return options.error();
  if (!options->words.empty()) {
    const auto* own = toll::daemon::find_own_command(options->words[0]);
    if (own != nullptr) return toll::daemon::run_own(*own, *options);
  }
  return static_cast<int>(toll::daemon::run(*options));
}
