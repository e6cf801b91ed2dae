// tollkeeper-bench: loads a daemon and says what it took. bench/README.md tells how to use it.

#include <algorithm>
#include <cstdio>
#include <fmt/format.h>
#include <optional>
#include <string>
#include <vector>

#include "bench/affinity.h"
#include "bench/direct_target.h"
#include "bench/html_report.h"
#include "bench/measurement.h"
#include "bench/options.h"
#include "bench/redis_suite.h"
#include "bench/report.h"
#include "bench/server_process.h"
#include "bench/suite.h"

namespace toll::bench {
namespace {

constexpr int kFailed = 1;

int fail(const std::string& why) {
  fmt::print(stderr, "tollkeeper-bench: {}\n", why);
  return kFailed;
}

// The servers of one plain run; they live until it is over.
struct Servers {
  std::optional<TemporaryFolder> folder;
  std::optional<ServerProcess> redis;  // behind the daemon
  std::optional<ServerProcess> daemon;
  std::optional<ServerProcess> floor;
  std::optional<DirectTarget> direct;
};

template <class Server>
std::expected<void, std::string> keep(std::expected<Server, std::string> started,
                                      std::optional<Server>& kept) {
  if (!started) return std::unexpected(started.error());
  kept.emplace(std::move(*started));
  return {};
}

std::expected<void, std::string> start_daemon_of(const Options& options, Servers& servers) {
  if (options.redis) {
    auto redis = keep(start_redis(*servers.folder, "redis", options.server_cpu), servers.redis);
    if (!redis) return redis;
  }
  return keep(start_daemon(*servers.folder,
                           {.program = options.daemon_program,
                            .name = "daemon",
                            .workers = options.workers,
                            .backend = options.backend,
                            .cpu = options.server_cpu,
                            .memory_mib = options.memory_mib,
                            .algorithm = options.algorithm,
                            .limit = options.limit,
                            .redis_path = servers.redis ? servers.redis->socket_path() : ""}),
              servers.daemon);
}

std::expected<void, std::string> start_servers(const Options& options, Servers& servers) {
  if (options.daemon_program.empty() && !options.floor && !options.direct) return {};
  if (auto folder = keep(TemporaryFolder::make(), servers.folder); !folder) return folder;
  if (!options.daemon_program.empty()) {
    if (auto daemon = start_daemon_of(options, servers); !daemon) return daemon;
  }
  if (options.floor) {
    auto floor = keep(
        start_floor(*servers.folder, options.backend, options.script.framing, options.server_cpu),
        servers.floor);
    if (!floor) return floor;
  }
  if (options.direct) {
    return keep(DirectTarget::start(*servers.folder, "direct", options.server_cpu,
                                    options.algorithm, options.limit, options.script),
                servers.direct);
  }
  return {};
}

std::expected<void, std::string> write_page(const std::vector<TargetRuns>& measured,
                                            const Options& options) {
  std::vector<Fact> facts = machine_facts(measured);
  facts.push_back({"command", options.command});
  std::string settings = options.settings;
  std::ranges::replace(settings, '\n', ' ');
  facts.push_back({"settings", settings});
  return write_file(options.html_path, html_report(measured, facts));
}

int run_plain(const Options& options) {
  Servers servers;
  if (auto started = start_servers(options, servers); !started) return fail(started.error());
  // After the servers were forked, or they would inherit it.
  if (options.client_cpu) {
    if (auto pinned = pin_to(*options.client_cpu); !pinned) return fail(pinned.error());
  }
  std::vector<Target> targets;
  targets.push_back({"tollkeeperd",
                     servers.daemon ? servers.daemon->socket_path() : options.socket_path, true,
                     servers.redis ? servers.redis->socket_path() : ""});
  if (servers.floor) targets.push_back({"floor", servers.floor->socket_path(), false});

  if (servers.direct) targets.push_back(servers.direct->target());

  const RequestScript script = RequestScript::render(options.script);
  const auto measured = measure(targets, script, options.load, options.runs);
  if (!measured) return fail(measured.error());
  fmt::print("{}", options.json ? json_report(*measured) : text_report(*measured));
  if (!options.html_path.empty()) {
    if (auto written = write_page(*measured, options); !written) return fail(written.error());
  }
  const bool sound = std::ranges::all_of(*measured, &std::string::empty, &TargetRuns::fault);
  return sound ? 0 : kFailed;
}

int run(int argc, char** argv) {
  const auto options = parse_options(argc, argv);
  if (!options) return options.error();
  if (!options->suite && !options->suite_redis) return run_plain(*options);
  if (options->suite) {
    if (const auto done = run_suite(*options); !done) return fail(done.error());
  }
  if (options->suite_redis) {
    if (const auto done = run_redis_suite(*options); !done) return fail(done.error());
  }
  return 0;
}

}  // namespace
}  // namespace toll::bench

int main(int argc, char** argv) {
  return toll::bench::run(argc, argv);
}
