#include "bench/measurement.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <fmt/format.h>
#include <functional>
#include <memory>

namespace toll::bench {
namespace {

using Slices = std::vector<LoadResult>;

double median(const Slices& slices, const std::function<double(const LoadResult&)>& figure) {
  std::vector<double> figures;
  for (const LoadResult& slice : slices) figures.push_back(figure(slice));
  std::ranges::sort(figures);
  const size_t middle = figures.size() / 2;
  if (figures.size() % 2 == 1) return figures[middle];
  return (figures[middle - 1] + figures[middle]) / 2;
}

double median_us(const Slices& slices, double quantile) {
  return median(slices, [quantile](const LoadResult& slice) {
    return static_cast<double>(slice.latency_ns.quantile(quantile)) * 1e-3;
  });
}

// The sum of a figure over all replies: a slice of a second is too short for the clock ticks in
// which the kernel counts CPU time.
double per_reply(const Slices& slices, const std::function<double(const LoadResult&)>& figure) {
  double sum = 0;
  uint64_t replies = 0;
  for (const LoadResult& slice : slices) {
    sum += figure(slice);
    replies += slice.replies;
  }
  return replies == 0 ? 0 : sum / static_cast<double>(replies);
}

// So that no run inherits the keys of the one before.
std::expected<void, std::string> empty_redis(const Target& target) {
  if (target.redis_path.empty()) return {};
  auto redis = RedisClient::connect(target.redis_path);
  if (!redis) return std::unexpected(redis.error());
  return redis->empty();
}

std::expected<std::unique_ptr<Load>, std::string> open_for(const Target& target,
                                                           const LoadSettings& settings) {
  if (auto emptied = empty_redis(target); !emptied) return std::unexpected(emptied.error());
  LoadSettings own = settings;
  if (target.clients > 0) own.clients = target.clients;
  return open_load(target.socket_path, target.redis_path, *target.script, own);
}

class Measurement {
 public:
  Measurement(const MeasureSettings& settings, ProgressLine& progress)
      : settings_(settings), progress_(progress) {}

  std::expected<void, std::string> run(std::vector<TargetSlices>& measured, uint32_t number) {
    std::vector<std::unique_ptr<Load>> loads;
    for (const TargetSlices& entry : measured) {
      auto load = open_for(entry.target, settings_.load);
      if (!load) return std::unexpected(fmt::format("{}: {}", entry.target.name, load.error()));
      loads.push_back(*std::move(load));
    }
    const uint32_t turns = turns_of(measured.size());
    for (uint32_t turn = 0; turn < turns; ++turn) {
      for (size_t at = 0; at < measured.size(); ++at) {
        TargetSlices& entry = measured[at];
        const double lead_in_s = std::min(entry.target.lead_in_s, settings_.slice_s);
        auto slice =
            loads[at]->run(turn == 0 ? settings_.warmup_s : lead_in_s, settings_.seconds / turns,
                           watch(entry.target.name, number * turns + turn, settings_.runs * turns));
        if (!slice) return std::unexpected(fmt::format("{}: {}", entry.target.name, slice.error()));
        if (entry.fault.empty()) entry.fault = fault_of(*slice, entry.target.answers_by_kind);
        entry.slices.push_back(*std::move(slice));
      }
    }
    return {};
  }

 private:
  uint32_t turns_of(size_t targets) const {
    if (targets == 1) return 1;
    return std::max(1U, static_cast<uint32_t>(std::lround(settings_.seconds / settings_.slice_s)));
  }

  LoadWatch watch(const std::string& name, uint32_t turn, uint32_t turns) {
    if (!progress_.shown()) return {};
    const std::string head = fmt::format("{} {}/{}", name, turn + 1, turns);
    progress_.show(head);
    return [this, head](const LoadProgress& so_far) {
      progress_.show(fmt::format("{}: {:.0f} requests/s, p99 {:.1f} us", head, so_far.throughput,
                                 so_far.p99_us));
    };
  }

  const MeasureSettings& settings_;
  ProgressLine& progress_;
};

}  // namespace

std::expected<std::vector<TargetSlices>, std::string> measure(const std::vector<Target>& targets,
                                                              const MeasureSettings& settings,
                                                              ProgressLine& progress) {
  std::vector<TargetSlices> measured;
  for (const Target& target : targets) measured.push_back({target, {}});
  Measurement measurement(settings, progress);
  for (uint32_t number = 0; number < settings.runs; ++number) {
    if (auto ran = measurement.run(measured, number); !ran) return std::unexpected(ran.error());
  }
  progress.clear();
  return measured;
}

Summary summarize(const TargetSlices& measured) {
  assert(!measured.slices.empty());
  const Slices& slices = measured.slices;
  Summary summary;
  summary.throughput = median(slices, &LoadResult::throughput);
  summary.p50_us = median_us(slices, 0.5);
  summary.p90_us = median_us(slices, 0.9);
  summary.p99_us = median_us(slices, 0.99);
  summary.p999_us = median_us(slices, 0.999);
  summary.max_us = median_us(slices, 1);
  summary.pushed_per_s = median(slices, &LoadResult::pushed_per_s);
  summary.pushed_bytes_per_s = summary.pushed_per_s * slices.front().record_bytes;
  summary.popped_per_s = median(slices, &LoadResult::popped_per_s);
  summary.popped_bytes_per_s = median(slices, &LoadResult::popped_bytes_per_s);
  summary.client_cpu_us = per_reply(slices, &LoadResult::client_cpu_s) * 1e6;
  summary.server_cpu_us =
      per_reply(slices, [](const LoadResult& slice) { return slice.server.cpu_s(); }) * 1e6;
  summary.server_bytes = static_cast<double>(slices.back().server.resident_bytes);
  summary.has_redis = slices.front().redis.has_value();
  const auto of_redis = [&slices](auto figure) {
    return per_reply(slices, [figure](const LoadResult& slice) {
      return slice.redis ? static_cast<double>((*slice.redis).*figure) : 0;
    });
  };
  summary.redis_calls = of_redis(&RedisUsage::calls);
  summary.redis_call_us = of_redis(&RedisUsage::call_s) * 1e6;
  summary.redis_cpu_us = of_redis(&RedisUsage::process_cpu_s) * 1e6;
  summary.redis_input_bytes = of_redis(&RedisUsage::input_bytes);
  summary.redis_output_bytes = of_redis(&RedisUsage::output_bytes);
  for (const LoadResult& slice : slices) {
    summary.counts += slice.counts;
    if (!slice.open_loop) continue;
    if (!summary.open_loop) summary.open_loop.emplace();
    *summary.open_loop += *slice.open_loop;
  }
  const LoadResult& last = slices.back();
  for (const ThreadUsage& thread : last.server.threads) {
    summary.threads.push_back({thread.name, thread.cpu_s() / last.seconds,
                               static_cast<double>(thread.voluntary_switches) / last.seconds});
  }
  return summary;
}

}  // namespace toll::bench
