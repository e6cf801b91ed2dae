#include "bench/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <span>

#include "bench/direct_target.h"
#include "bench/limits.h"

namespace toll::bench {
namespace {

constexpr int kUsageError = 2;

void add_load_options(CLI::App& app, Options& options, RawOptions& raw) {
  app.add_option("--clients", options.measure.load.clients, "Connections")
      ->check(CLI::Range(1U, kClientsMax))
      ->capture_default_str();
  app.add_option("--depth", options.measure.load.depth,
                 "Requests that each keeps in flight; with --rate, at most")
      ->check(CLI::Range(1U, kDepthMax))
      ->capture_default_str();
  app.add_option(
         "--rate", options.measure.load.rate,
         "Open loop: so many requests/s over all clients, each sent when it is due, replies "
         "or not; latency counts from then")
      ->check(CLI::Range(kRateMin, kRateMax));
  app.add_option("--seconds", options.measure.seconds, "How long to measure")
      ->check(CLI::Range(0.01, kSecondsMax))
      ->capture_default_str();
  app.add_option("--warmup", options.measure.warmup_s, "Seconds of load before")
      ->check(CLI::Range(0.0, kSecondsMax))
      ->capture_default_str();
  app.add_option("--slice", options.measure.slice_s,
                 "Seconds after which it is the next target's turn, over and over")
      ->check(CLI::Range(0.01, kSecondsMax))
      ->capture_default_str();
  app.add_option("--runs", options.measure.runs,
                 "Repeat with new connections, and print the medians")
      ->check(CLI::Range(1U, kRunsMax))
      ->capture_default_str();
  app.add_option("--mix", raw.mix, "Verbs by weight, as check=90,peek=5,refund=5")
      ->capture_default_str();
  app.add_option("--record", options.script.record_bytes, "Bytes of a log record that push pushes")
      ->check(CLI::Range(kRecordBytesMin, kRecordBytesMax))
      ->capture_default_str();
  app.add_option("--policy", raw.policy, "The policy to ask for (bench with --spawn, else api)");
  app.add_option("--ids", options.script.ids, "How many different ids")
      ->check(CLI::Range(1U, kIdsMax))
      ->capture_default_str();
  app.add_option("--zipf", options.script.zipf_exponent, "Zipf's exponent; 0: all ids alike")
      ->check(CLI::Range(0.0, 10.0))
      ->capture_default_str();
  app.add_option("--hot", raw.hot,
                 "Part of the requests for so many hot ids, as 0.9:100; the others share the rest");
  app.add_option("--framing", raw.framing, "line or resp")
      ->check(CLI::IsMember({"line", "resp"}))
      ->capture_default_str();
  app.add_option("--seed", options.script.seed, "The same seed sends the same requests")
      ->capture_default_str();
}

void add_server_options(CLI::App& app, Options& options, RawOptions& raw) {
  app.add_option("--socket", options.servers.socket_path, "The daemon's socket")
      ->type_name("PATH")
      ->envname("TOLLKEEPER_SOCKET")
      ->capture_default_str();
  app.add_option("--spawn", options.servers.daemon_program,
                 "Start this tollkeeperd, with the policies bench and bench_refuse")
      ->type_name("PROGRAM");
  app.add_option("--workers", options.workers, "Workers of the daemon started")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--memory", options.servers.memory_mib, "Its budget for keys, in MiB")
      ->capture_default_str();
  app.add_option("--backend", raw.backend, "Loop of the servers started: auto, io_uring or epoll")
      ->check(CLI::IsMember({"auto", "io_uring", "epoll"}))
      ->capture_default_str();
  app.add_option("--targets", raw.targets,
                 "What takes turns: daemon (at --socket), those that --spawn starts: local, leased "
                 "and exact (before a Redis of their own), direct (Redis itself, one EVALSHA a "
                 "request; of log records RPUSH of 100 by one client), floor (a server that does "
                 "no work)")
      ->delimiter(',')
      ->check(CLI::IsMember(target_names()));
  app.add_option("--against", options.against,
                 "The target that the others are compared with (the first of --targets)");
  app.add_flag("--floor", raw.floor,
               "Short for --targets local,floor --against floor; with --socket, daemon for local");
  app.add_flag("--direct", raw.direct, "The same with direct for floor");
  app.add_flag("--redis", raw.redis, "With these: exact in place of local");
  app.add_option("--algorithm", raw.algorithm,
                 "gcra or sliding_log: of the daemon started, and of --direct")
      ->check(CLI::IsMember({"gcra", "sliding_log"}))
      ->capture_default_str();
  app.add_option("--limit", raw.limit,
                 "Their limit, as count/window (one that refuses nothing: 10000000/1m, "
                 "sliding_log 100000/1s)");
  app.add_option("--pin-client", raw.client_cpu, "CPU of the load generator")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--pin-server", raw.server_cpu, "CPU of the servers started")
      ->check(CLI::NonNegativeNumber);
  app.add_flag("--json", options.json, "Print JSON");
  app.add_option("--html", options.html_path, "Write a page with drawings to this file too")
      ->type_name("FILE");
  app.add_option("--suite", options.suite_folder,
                 "Take the published comparison (needs --spawn) and write README.md, results.json "
                 "and results.html there")
      ->type_name("FOLDER");
  app.add_option("--only", options.suite_only, "Of the suite, what has this in its name");
  app.add_option("--shard-bench", options.shard_bench, "For the suite's longest pause")
      ->type_name("PROGRAM");
  app.add_option("--idle", options.suite_idle_s, "Seconds that the suite watches an idle daemon")
      ->check(CLI::Range(0.1, kSecondsMax));
}

using Status = std::expected<void, std::string>;

Status wrong(std::string why) {
  return std::unexpected(std::move(why));
}

// The short words name a first target, and the last one as what it is compared with.
std::vector<TargetKind> short_targets(const RawOptions& raw, bool spawns) {
  std::vector<TargetKind> kinds = {!spawns     ? TargetKind::kDaemon
                                   : raw.redis ? TargetKind::kExact
                                               : TargetKind::kLocal};
  if (raw.floor) kinds.push_back(TargetKind::kFloor);
  if (raw.direct) kinds.push_back(TargetKind::kDirect);
  return kinds;
}

Status finish_targets(const RawOptions& raw, Options& options) {
  const bool spawns = !options.servers.daemon_program.empty();
  if (raw.redis && !spawns) return wrong("--redis needs --spawn");
  for (const std::string& name : raw.targets) {
    if (std::ranges::count(raw.targets, name) > 1) return wrong("--targets names one twice");
    options.targets.push_back(target_kind(name));
  }
  const bool named = !options.targets.empty();
  if (named && (raw.floor || raw.direct || raw.redis)) {
    return wrong("--targets names all of them: leave --floor, --direct and --redis out");
  }
  if (!named) options.targets = short_targets(raw, spawns);
  if (!spawns && std::ranges::any_of(options.targets, runs_daemon)) {
    return wrong("the targets local, leased and exact need --spawn");
  }
  if (options.against.empty()) {
    options.against = to_string(named ? options.targets.front() : options.targets.back());
  }
  if (std::ranges::find(options.targets, options.against,
                        [](TargetKind kind) { return to_string(kind); }) == options.targets.end()) {
    return wrong("--against is none of the targets");
  }
  return {};
}

Status finish_limit(const RawOptions& raw, Options& options) {
  options.algorithm = raw.algorithm == "gcra" ? Algorithm::kGcra : Algorithm::kSlidingLog;
  auto limit = raw.limit.empty() ? ample_limit(options.algorithm) : parse_limit(raw.limit);
  if (!limit) return wrong("--limit: " + limit.error());
  options.limit = std::move(*limit);
  const bool direct =
      std::ranges::find(options.targets, TargetKind::kDirect) != options.targets.end();
  if (direct && !is_direct_mix(options.script.mix)) {
    return wrong("Redis itself is asked check, cost, budget and hold, or push and pop");
  }
  if (direct && is_direct_list(options.script.mix) && options.measure.load.rate > 0) {
    return wrong("Redis itself is pushed to by the hundred: leave --rate out");
  }
  return {};
}

Status finish_ids(const RawOptions& raw, ScriptSettings& script) {
  if (raw.hot.empty()) return {};
  const auto hot = parse_hot_set(raw.hot);
  if (!hot) return wrong("--hot: " + hot.error());
  if (hot->ids >= script.ids) return wrong("--hot: --ids must be more than the hot ones");
  if (script.zipf_exponent > 0) return wrong("--hot and --zipf cannot both be given");
  script.hot = *hot;
  return {};
}

Status finish(const RawOptions& raw, Options& options) {
  auto mix = parse_mix(raw.mix);
  if (!mix) return wrong("--mix: " + mix.error());
  options.script.mix = std::move(*mix);
  const bool spawns = !options.servers.daemon_program.empty();
  options.script.policy = !raw.policy.empty() ? raw.policy : spawns ? kBenchPolicy : "api";
  if (options.script.policy.size() > kPolicyNameMax ||
      options.script.policy.find_first_of(" \t\r\n\"*") != std::string::npos) {
    return wrong("--policy: not a policy's name");
  }
  options.script.framing = raw.framing == "resp" ? Framing::kResp : Framing::kLine;
  options.measure.load.seed = options.script.seed;
  if (raw.client_cpu >= 0) options.client_cpu = raw.client_cpu;
  if (raw.server_cpu >= 0) options.servers.cpu = raw.server_cpu;
  if (!options.suite_folder.empty() && !spawns) return wrong("--suite needs --spawn");
  if (auto ids = finish_ids(raw, options.script); !ids) return ids;
  if (auto targets = finish_targets(raw, options); !targets) return targets;
  if (auto limit = finish_limit(raw, options); !limit) return limit;
  options.servers.backend = net::Backend::kEpoll;
  if (raw.backend == "io_uring" ||
      (raw.backend == "auto" && net::Loop::make(net::Backend::kUring).has_value())) {
    options.servers.backend = net::Backend::kUring;
  }
  return {};
}

}  // namespace

void describe_bench(CLI::App& app, Options& options, RawOptions& raw) {
  app.name("tollkeeper-bench");
  app.description("tollkeeper-bench: loads a tollkeeperd through its socket and says what it took");
  add_load_options(app, options, raw);
  add_server_options(app, options, raw);
}

std::expected<Options, int> parse_options(int argc, char** argv) {
  Options options;
  RawOptions raw;
  CLI::App app;
  describe_bench(app, options, raw);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return std::unexpected(app.exit(error) == 0 ? 0 : kUsageError);
  }
  if (auto finished = finish(raw, options); !finished) {
    fmt::print(stderr, "tollkeeper-bench: {}\n", finished.error());
    return std::unexpected(kUsageError);
  }
  for (const char* word : std::span(argv, static_cast<size_t>(argc))) {
    if (!options.command.empty()) options.command += ' ';
    options.command += word;
  }
  // Of what was given and of what was not.
  options.settings = app.config_to_str(true, false);
  return options;
}

}  // namespace toll::bench
