#include "bench/measurement.h"

#include <algorithm>
#include <cassert>
#include <cstdio>
#include <fmt/format.h>
#include <functional>

namespace toll::bench {
namespace {

double median(const std::vector<LoadResult>& runs,
              const std::function<double(const LoadResult&)>& figure) {
  std::vector<double> figures;
  for (const LoadResult& run : runs) figures.push_back(figure(run));
  std::ranges::sort(figures);
  const size_t middle = figures.size() / 2;
  if (figures.size() % 2 == 1) return figures[middle];
  return (figures[middle - 1] + figures[middle]) / 2;
}

double median_us(const std::vector<LoadResult>& runs, double quantile) {
  return median(runs, [quantile](const LoadResult& run) {
    return static_cast<double>(run.latency_ns.quantile(quantile)) * 1e-3;
  });
}

// So that no run inherits the keys of the one before.
std::expected<void, std::string> empty_redis(const Target& target) {
  if (target.redis_path.empty()) return {};
  auto redis = RedisClient::connect(target.redis_path);
  if (!redis) return std::unexpected(redis.error());
  return redis->empty();
}

}  // namespace

std::expected<std::vector<TargetRuns>, std::string> measure(const std::vector<Target>& targets,
                                                            const RequestScript& script,
                                                            const LoadSettings& settings,
                                                            uint32_t runs) {
  std::vector<TargetRuns> measured;
  for (const Target& target : targets) measured.push_back({target, {}, {}});
  for (uint32_t run = 0; run < runs; ++run) {
    for (TargetRuns& entry : measured) {
      LoadSettings load = settings;
      if (entry.target.clients > 0) load.clients = entry.target.clients;
      fmt::print(stderr, "run {}/{}: {}, {} clients x {}, {} s\n", run + 1, runs, entry.target.name,
                 load.clients, load.depth, load.seconds);
      if (auto emptied = empty_redis(entry.target); !emptied) {
        return std::unexpected(emptied.error());
      }
      const RequestScript& sent = entry.target.script != nullptr ? *entry.target.script : script;
      auto result = run_load(entry.target.socket_path, entry.target.redis_path, sent, load);
      if (!result) {
        return std::unexpected(fmt::format("{}: {}", entry.target.name, result.error()));
      }
      if (entry.fault.empty()) entry.fault = fault_of(*result, entry.target.answers_by_kind);
      entry.runs.push_back(std::move(*result));
    }
  }
  return measured;
}

Summary summarize(const TargetRuns& entry) {
  assert(!entry.runs.empty());
  const std::vector<LoadResult>& runs = entry.runs;
  Summary summary;
  summary.throughput = median(runs, &LoadResult::throughput);
  summary.p50_us = median_us(runs, 0.5);
  summary.p90_us = median_us(runs, 0.9);
  summary.p99_us = median_us(runs, 0.99);
  summary.p999_us = median_us(runs, 0.999);
  summary.max_us = median_us(runs, 1);
  summary.pushed_per_s = median(runs, &LoadResult::pushed_per_s);
  summary.pushed_bytes_per_s = summary.pushed_per_s * runs.front().record_bytes;
  summary.popped_per_s = median(runs, &LoadResult::popped_per_s);
  summary.popped_bytes_per_s = median(runs, &LoadResult::popped_bytes_per_s);
  summary.client_cpu_us = median(runs, &LoadResult::client_cpu_us);
  summary.server_cpu_us = median(runs, &LoadResult::server_cpu_us);
  summary.has_redis = runs.front().redis.has_value();
  summary.redis_calls_per_1000 = median(runs, &LoadResult::redis_calls_per_1000);
  summary.redis_script_us = median(runs, &LoadResult::redis_script_us);
  summary.redis_cpu_us = median(runs, &LoadResult::redis_cpu_us);
  for (const LoadResult& run : runs) {
    summary.counts += run.counts;
    if (!run.open_loop) continue;
    if (!summary.open_loop) summary.open_loop.emplace();
    *summary.open_loop += *run.open_loop;
  }
  const LoadResult& last = runs.back();
  for (const ThreadUsage& thread : last.server.threads) {
    summary.threads.push_back({thread.name, thread.cpu_s() / last.seconds,
                               static_cast<double>(thread.voluntary_switches) / last.seconds});
  }
  return summary;
}

}  // namespace toll::bench
