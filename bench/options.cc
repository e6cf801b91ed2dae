#include "bench/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <span>

#include "bench/limits.h"

namespace toll::bench {
namespace {

constexpr int kUsageError = 2;

void add_load_options(CLI::App& app, Options& options, RawOptions& raw) {
  app.add_option("--clients", options.load.clients, "Connections")
      ->check(CLI::Range(1U, kClientsMax))
      ->capture_default_str();
  app.add_option("--depth", options.load.depth,
                 "Requests that each keeps in flight; with --rate, at most")
      ->check(CLI::Range(1U, kDepthMax))
      ->capture_default_str();
  app.add_option(
         "--rate", options.load.rate,
         "Open loop: so many requests/s over all clients, each sent when it is due, replies "
         "or not; latency counts from then")
      ->check(CLI::Range(kRateMin, kRateMax));
  app.add_option("--seconds", options.load.seconds, "How long to measure")
      ->check(CLI::Range(0.01, kSecondsMax))
      ->capture_default_str();
  app.add_option("--warmup", options.load.warmup_s, "Seconds of load before")
      ->check(CLI::Range(0.0, kSecondsMax))
      ->capture_default_str();
  app.add_option("--runs", options.runs, "Repeat, and print the medians")
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
  app.add_option("--framing", raw.framing, "line or resp")
      ->check(CLI::IsMember({"line", "resp"}))
      ->capture_default_str();
  app.add_option("--seed", options.script.seed, "The same seed sends the same requests")
      ->capture_default_str();
}

void add_server_options(CLI::App& app, Options& options, RawOptions& raw) {
  app.add_option("--socket", options.socket_path, "The daemon's socket")
      ->type_name("PATH")
      ->envname("TOLLKEEPER_SOCKET")
      ->capture_default_str();
  app.add_option("--spawn", options.daemon_program,
                 "Start this tollkeeperd, with the policies bench and bench_refuse")
      ->type_name("PROGRAM");
  app.add_option("--workers", options.workers, "Workers of the daemon started")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--memory", options.memory_mib, "Its budget for keys, in MiB")
      ->capture_default_str();
  app.add_option("--backend", raw.backend, "Loop of the servers started: auto, io_uring or epoll")
      ->check(CLI::IsMember({"auto", "io_uring", "epoll"}))
      ->capture_default_str();
  app.add_flag("--floor", options.floor,
               "The same load in turns against a server that does no work");
  app.add_flag("--direct", options.direct,
               "The same checks in turns against a redis-server itself, one EVALSHA each; of "
               "--mix push=100, RPUSH of 100 records by one client");
  app.add_flag("--redis", options.redis, "Start a redis-server behind the daemon (needs --spawn)");
  app.add_option("--algorithm", raw.algorithm,
                 "gcra or sliding_log: of the daemon started, and of --direct")
      ->check(CLI::IsMember({"gcra", "sliding_log"}))
      ->capture_default_str();
  app.add_option("--limit", raw.limit,
                 "Their limit, as count/window (one that refuses nothing: 1000000/1s, "
                 "sliding_log 100000/1s)");
  app.add_option("--pin-client", raw.client_cpu, "CPU of the load generator")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--pin-server", raw.server_cpu, "CPU of the servers started")
      ->check(CLI::NonNegativeNumber);
  app.add_flag("--json", options.json, "Print JSON");
  app.add_option("--html", options.html_path, "Write a page with drawings to this file too")
      ->type_name("FILE");
  app.add_flag(
      "--suite", options.suite,
      "Take all the figures of bench/README.md (needs --spawn) and print them as Markdown");
  app.add_flag("--suite-redis", options.suite_redis,
               "Take the figures of a daemon before Redis against Redis itself (needs --spawn)");
  app.add_option("--keys", options.suite_keys, "Keys to fill in for the suite's figures on size")
      ->delimiter(',')
      ->check(CLI::Range(1U, kIdsMax));
  app.add_option("--idle", options.suite_idle_s, "Seconds that the suite watches an idle daemon")
      ->check(CLI::Range(0.1, kSecondsMax));
}

std::expected<void, std::string> finish_redis(const RawOptions& raw, Options& options) {
  if (options.redis && options.daemon_program.empty()) {
    return std::unexpected(std::string("--redis needs --spawn"));
  }
  options.algorithm = raw.algorithm == "gcra" ? Algorithm::kGcra : Algorithm::kSlidingLog;
  auto limit = raw.limit.empty() ? ample_limit(options.algorithm) : parse_limit(raw.limit);
  if (!limit) return std::unexpected("--limit: " + limit.error());
  options.limit = std::move(*limit);
  const bool checks_alone = has_only(options.script.mix, Verb::kCheck);
  const bool pushes_alone = has_only(options.script.mix, Verb::kPush);
  if (options.suite_redis && !checks_alone) {
    return std::unexpected(std::string("--suite-redis sends checks alone: leave --mix out"));
  }
  if (options.direct && !checks_alone && !pushes_alone) {
    return std::unexpected(
        std::string("--direct sends checks alone, or pushes alone: leave --mix out"));
  }
  if (options.direct && pushes_alone && options.load.rate > 0) {
    return std::unexpected(
        std::string("--direct pushes by the hundred, as fast as it can: leave --rate out"));
  }
  return {};
}

std::expected<void, std::string> finish(const RawOptions& raw, Options& options) {
  auto mix = parse_mix(raw.mix);
  if (!mix) return std::unexpected("--mix: " + mix.error());
  options.script.mix = std::move(*mix);
  const bool spawns = !options.daemon_program.empty();
  options.script.policy = !raw.policy.empty() ? raw.policy : spawns ? kBenchPolicy : "api";
  if (options.script.policy.size() > kPolicyNameMax ||
      options.script.policy.find_first_of(" \t\r\n\"*") != std::string::npos) {
    return std::unexpected(std::string("--policy: not a policy's name"));
  }
  options.script.framing = raw.framing == "resp" ? Framing::kResp : Framing::kLine;
  options.load.seed = options.script.seed;
  if (raw.client_cpu >= 0) options.client_cpu = raw.client_cpu;
  if (raw.server_cpu >= 0) options.server_cpu = raw.server_cpu;
  if ((options.suite || options.suite_redis) && !spawns) {
    return std::unexpected(std::string("--suite and --suite-redis need --spawn"));
  }
  const bool suites = options.suite || options.suite_redis;
  if (suites && (options.load.rate > 0 || !options.html_path.empty())) {
    return std::unexpected(
        std::string("the suites are closed loops and Markdown: leave --rate and --html out"));
  }
  if (auto redis = finish_redis(raw, options); !redis) return redis;
  options.backend = net::Backend::kEpoll;
  if (raw.backend == "io_uring" ||
      (raw.backend == "auto" && net::Loop::make(net::Backend::kUring).has_value())) {
    options.backend = net::Backend::kUring;
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
