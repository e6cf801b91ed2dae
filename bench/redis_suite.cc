#include "bench/redis_suite.h"

#include <array>
#include <cstdio>
#include <fmt/format.h>
#include <string_view>
#include <vector>

#include "bench/affinity.h"
#include "bench/direct_target.h"
#include "bench/measurement.h"
#include "bench/report.h"
#include "bench/server_process.h"

namespace toll::bench {
namespace {

using Status = std::expected<void, std::string>;

constexpr double kZipfExponent = 0.99;

// One pair of rows: what both sides are asked, and what the figure is about.
struct Question {
  std::string_view title;
  uint32_t clients;
  uint32_t depth;
  double zipf_exponent;
  const char* policy;
};
constexpr std::array kQuestions = {
    Question{"8 x 64", 8, 64, 0, kBenchPolicy},
    Question{"50 x 1", 50, 1, 0, kBenchPolicy},
    Question{"8 x 64, Zipf 0.99", 8, 64, kZipfExponent, kBenchPolicy},
    Question{"8 x 64, refused", 8, 64, 0, kRefusePolicy},
    Question{"1 x 1", 1, 1, 0, kBenchPolicy},
};

void print_head(Algorithm algorithm) {
  fmt::print("\n### {} before Redis, against Redis itself\n\n", to_string(algorithm));
  fmt::print(
      "| clients x depth | asked | requests/s | p50 us | p99 us | server CPU us/request "
      "| Redis CPU us/request | in scripts us/request | EVALSHA / 1,000 | DENY % |\n"
      "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|\n");
}

void print_row(std::string_view title, const TargetRuns& entry) {
  const Summary summary = summarize(entry);
  const uint64_t decided = summary.counts.allow + summary.counts.deny;
  const double denied =
      decided == 0 ? 0
                   : static_cast<double>(summary.counts.deny) * 100 / static_cast<double>(decided);
  fmt::print(
      "| {} | {} | {:.0f} | {:.1f} | {:.1f} | {:.3f} | {:.3f} | {:.3f} | {:.2f} | {:.1f} |\n",
      title, entry.target.name, summary.throughput, summary.p50_us, summary.p99_us,
      summary.server_cpu_us, summary.redis_cpu_us, summary.redis_script_us,
      summary.redis_calls_per_1000, denied);
}

void print_ratio(const TargetRuns& daemon, const TargetRuns& direct) {
  const Ratio ratio = ratio_of(summarize(daemon), summarize(direct));
  fmt::print(
      "| | **{} / {}** | **{:.2f} x** | **{:.2f} x** | | {:.2f} x | **{:.3f} x** | **{:.3f} x** "
      "| | |\n",
      daemon.target.name, direct.target.name, ratio.throughput, ratio.p50, ratio.server_cpu,
      ratio.redis_cpu, ratio.redis_script);
  std::fflush(stdout);
}

// Both sides with servers of their own, which no other question has used.
Status answer(const Question& question, Algorithm algorithm, const Options& options,
              const TemporaryFolder& folder) {
  ScriptSettings checks = options.script;
  checks.policy = question.policy;
  checks.zipf_exponent = question.zipf_exponent;
  const Limit limit = usual_limit();
  const auto redis = start_redis(folder, "redis", options.server_cpu);
  if (!redis) return std::unexpected(redis.error());
  const auto daemon = start_daemon(folder, {.program = options.daemon_program,
                                            .name = "daemon",
                                            .workers = options.workers,
                                            .backend = options.backend,
                                            .cpu = options.server_cpu,
                                            .memory_mib = options.memory_mib,
                                            .algorithm = algorithm,
                                            .limit = limit,
                                            .redis_path = redis->socket_path()});
  if (!daemon) return std::unexpected(daemon.error());
  const auto direct =
      DirectTarget::start(folder, "direct", options.server_cpu, algorithm, limit, checks);
  if (!direct) return std::unexpected(direct.error());

  const AffinityScope unpinned_afterwards;
  if (options.client_cpu) {
    if (auto pinned = pin_to(*options.client_cpu); !pinned) return pinned;
  }
  LoadSettings load = options.load;
  load.clients = question.clients;
  load.depth = question.depth;
  const auto measured = measure(
      {{"tollkeeperd", daemon->socket_path(), true, redis->socket_path()}, direct->target()},
      RequestScript::render(checks), load, options.runs);
  if (!measured) return std::unexpected(measured.error());
  for (const TargetRuns& entry : *measured) {
    print_row(question.title, entry);
    if (!entry.fault.empty()) return std::unexpected(entry.target.name + ": " + entry.fault);
  }
  print_ratio((*measured)[0], (*measured)[1]);
  return {};
}

}  // namespace

std::expected<void, std::string> run_redis_suite(const Options& options) {
  const auto folder = TemporaryFolder::make();
  if (!folder) return std::unexpected(folder.error());
  fmt::print("\n{} CPUs, {}, {} framing, {} workers, {} ids, {} runs of {} s, medians\n",
             allowed_cpus().size(), to_string(options.backend),
             options.script.framing == Framing::kLine ? "line" : "RESP", options.workers,
             options.script.ids, options.runs, options.load.seconds);
  for (const Algorithm algorithm : {Algorithm::kGcra, Algorithm::kSlidingLog}) {
    print_head(algorithm);
    for (const Question& question : kQuestions) {
      if (auto done = answer(question, algorithm, options, *folder); !done) return done;
    }
  }
  return {};
}

}  // namespace toll::bench
