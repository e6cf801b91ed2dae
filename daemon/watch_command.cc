#include "daemon/watch_command.h"

#include <algorithm>
#include <chrono>
#include <expected>
#include <fmt/format.h>
#include <poll.h>
#include <utility>
#include <vector>

#include "daemon/request_line.h"

namespace toll::daemon {
namespace {

using std::chrono::milliseconds;

// Between two tries to find the daemon again.
constexpr milliseconds kTryEvery{100};
constexpr milliseconds kTryEveryMax{5'000};

// Prints events until the connection ends; why it did.
std::string print_events(ClientConnection& connection, ReplyPrinter& printer) {
  while (true) {
    auto event = connection.next_reply();
    if (!event) return event.error();
    if (*event) {
      printer.print(**event);
      continue;
    }
    printer.flush();
    pollfd ready{connection.fd(), POLLIN, 0};
    if (poll(&ready, 1, -1) <= 0) continue;
    if (const auto received = connection.receive_some(); !received) return received.error();
  }
}

}  // namespace

ExitStatus run_watch_command(const ClientSettings& settings, std::span<const std::string> words,
                             ReplyPrinter& printer) {
  const auto complain = [&](const std::string& why) {
    printer.complain(fmt::format("tollkeeper: {}", why));
  };
  std::vector<std::string> request_words = {"WATCH"};
  request_words.insert(request_words.end(), words.begin(), words.end());
  const auto request = request_of_words(request_words);
  if (!request) {
    complain(request.error());
    return ExitStatus::kError;
  }
  milliseconds wait = kTryEvery;
  for (bool before = false;;) {
    auto connection = ClientConnection::open(settings);
    const auto reply = connection
                           ? connection->ask(*request)
                           : std::expected<Reply, std::string>(std::unexpected(connection.error()));
    if (reply && reply->kind != ReplyKind::kOk) {
      printer.print(*reply);
      return printer.worst();
    }
    if (reply) {
      if (before) complain("watching again; what happened meanwhile was not told");
      before = true;
      wait = kTryEvery;
      complain(fmt::format("{}; trying to find it again", print_events(*connection, printer)));
    } else if (!before) {
      complain(reply.error());
      return ExitStatus::kNoDaemon;
    }
    poll(nullptr, 0, static_cast<int>(wait.count()));
    wait = std::min(wait * 2, kTryEveryMax);
  }
}

}  // namespace toll::daemon
