#include "daemon/health_command.h"

#include <algorithm>
#include <chrono>
#include <expected>
#include <functional>
#include <poll.h>

#include "daemon/client_connection.h"
#include "daemon/numbers.h"
#include "daemon/reply_printer.h"

namespace toll::daemon {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kWaitDefault{30'000};
constexpr milliseconds kWaitMax{86'400'000};
constexpr milliseconds kAskEvery{50};

struct HealthOptions {
  milliseconds wait{0};  // for it to be ready
};

Health health_told(const Reply& reply) {
  const auto words = split_words(reply.line);
  if (reply.kind != ReplyKind::kOk || words.size() < 2) return Health::kDown;
  return health_of(words[1].text);
}

// Error: what is wrong with the words.
std::expected<HealthOptions, std::string> parse_health(std::span<const std::string> words) {
  HealthOptions options;
  if (words.empty()) return options;
  if (words[0] != "--wait" || words.size() > 2) {
    return std::unexpected("wanted: tollkeeper health [--wait [TIME]]");
  }
  options.wait = kWaitDefault;
  if (words.size() == 1) return options;
  int64_t wait_us = 0;
  if (!parse_ttl(words[1], wait_us) || wait_us > std::chrono::microseconds(kWaitMax).count()) {
    return std::unexpected("--wait: a time from 1ms to 1d is expected, as 30s or 2m");
  }
  options.wait = std::chrono::ceil<milliseconds>(std::chrono::microseconds(wait_us));
  return options;
}

// Asks, and again until it is ready or the wait is over. `tell` gets what the daemon said last, if
// it said anything; else `error` says why not.
Health ask_health(const ClientSettings& settings, const HealthOptions& options,
                  const std::function<void(const Reply&)>& tell, std::string& error) {
  const auto until = steady_clock::now() + options.wait;
  while (true) {
    const auto left = std::chrono::ceil<milliseconds>(until - steady_clock::now());
    ClientSettings limited = settings;
    if (options.wait > milliseconds(0)) {
      limited.timeout = std::clamp(left, milliseconds(1), settings.timeout);
    }
    Health health = Health::kDown;
    const bool last = left <= kAskEvery;
    auto connection = ClientConnection::open(limited);
    if (connection) {
      const auto reply = connection->ask("HEALTH\n");
      if (reply) health = health_told(*reply);
      if (reply && (last || health == Health::kReady)) tell(*reply);
      error = reply ? "" : reply.error();
    } else {
      error = connection.error();
    }
    if (last || health == Health::kReady) return health;
    ::poll(nullptr, 0, static_cast<int>(kAskEvery.count()));
  }
}

}  // namespace

Health health_of(std::string_view state) {
  if (state == "ready") return Health::kReady;
  return state == "degraded" ? Health::kDegraded : Health::kDown;
}

int run_health_command(const CommandOptions& options, std::span<const std::string> words) {
  const auto health = parse_health(words);
  if (!health) {
    complain(health.error());
    return static_cast<int>(Health::kUnknown);
  }
  ReplyPrinter printer(options.json);
  std::string error;
  const Health found =
      ask_health(options.client, *health, [&](const Reply& reply) { printer.print(reply); }, error);
  if (!error.empty()) complain(error);
  return static_cast<int>(found);
}

}  // namespace toll::daemon
