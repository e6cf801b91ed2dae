// tollkeeper-bench: loads a daemon and says what it took. bench/README.md tells how to use it.

#include <algorithm>
#include <cstdio>
#include <fmt/format.h>
#include <optional>
#include <string>
#include <vector>

#include "bench/affinity.h"
#include "bench/measurement.h"
#include "bench/options.h"
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
  std::optional<ServerProcess> daemon;
  std::optional<ServerProcess> floor;
};

std::expected<void, std::string> start_servers(const Options& options, Servers& servers) {
  if (options.daemon_program.empty() && !options.floor) return {};
  auto folder = TemporaryFolder::make();
  if (!folder) return std::unexpected(folder.error());
  servers.folder.emplace(std::move(*folder));
  if (!options.daemon_program.empty()) {
    auto daemon = start_daemon(*servers.folder, {.program = options.daemon_program,
                                                 .name = "daemon",
                                                 .workers = options.workers,
                                                 .backend = options.backend,
                                                 .cpu = options.server_cpu,
                                                 .memory_mib = options.memory_mib});
    if (!daemon) return std::unexpected(daemon.error());
    servers.daemon.emplace(std::move(*daemon));
  }
  if (options.floor) {
    auto floor =
        start_floor(*servers.folder, options.backend, options.load.framing, options.server_cpu);
    if (!floor) return std::unexpected(floor.error());
    servers.floor.emplace(std::move(*floor));
  }
  return {};
}

int run_plain(const Options& options) {
  Servers servers;
  if (auto started = start_servers(options, servers); !started) return fail(started.error());
  // After the servers were forked, or they would inherit it.
  if (options.client_cpu) {
    if (auto pinned = pin_to(*options.client_cpu); !pinned) return fail(pinned.error());
  }
  std::vector<Target> targets;
  targets.push_back(
      {"tollkeeperd", servers.daemon ? servers.daemon->socket_path() : options.socket_path, true});
  if (servers.floor) targets.push_back({"floor", servers.floor->socket_path(), false});

  const RequestScript script = RequestScript::render(options.script);
  const auto measured = measure(targets, script, options.load, options.runs);
  if (!measured) return fail(measured.error());
  fmt::print("{}", options.json ? json_report(*measured) : text_report(*measured));
  const bool sound = std::ranges::all_of(*measured, &std::string::empty, &TargetRuns::fault);
  return sound ? 0 : kFailed;
}

int run(int argc, char** argv) {
  const auto options = parse_options(argc, argv);
  if (!options) return options.error();
  if (!options->suite) return run_plain(*options);
  const auto done = run_suite(*options);
  return done ? 0 : fail(done.error());
}

}  // namespace
}  // namespace toll::bench

int main(int argc, char** argv) {
  return toll::bench::run(argc, argv);
}
