#include "bench/suite.h"

#include <chrono>
#include <cstdio>
#include <fmt/format.h>
#include <string_view>
#include <unistd.h>
#include <vector>

#include "bench/affinity.h"
#include "bench/fill.h"
#include "bench/measurement.h"
#include "bench/process_usage.h"
#include "bench/report.h"
#include "bench/server_process.h"
#include "bench/socket.h"

namespace toll::bench {
namespace {

using Status = std::expected<void, std::string>;

struct Shape {
  uint32_t clients;
  uint32_t depth;
};
constexpr Shape kShapes[] = {{8, 64}, {50, 1}};

class Suite {
 public:
  Suite(const Options& options, const TemporaryFolder& folder)
      : options_(options), folder_(folder), script_(RequestScript::render(options.script)) {}

  Status against_floor();
  Status more_workers();
  Status idle();
  Status size();

 private:
  std::expected<ServerProcess, std::string> daemon(const std::string& name, uint32_t workers);
  LoadSettings load(const Shape& shape) const;
  std::expected<std::vector<TargetRuns>, std::string> compare(const Target& first,
                                                              const Target& second,
                                                              const Shape& shape);

  const Options& options_;
  const TemporaryFolder& folder_;
  RequestScript script_;
};

void print_row(const std::string& load, const std::string& server, const Summary& summary) {
  fmt::print("| {} | {} | {:.0f} | {:.1f} | {:.1f} | {:.1f} | {:.3f} | {:.3f} |\n", load, server,
             summary.throughput, summary.p50_us, summary.p99_us, summary.p999_us,
             summary.server_cpu_us, summary.client_cpu_us);
}

void print_head(const char* title) {
  fmt::print("\n### {}\n\n", title);
  fmt::print(
      "| clients x depth | server | requests/s | p50 us | p99 us | p99.9 us "
      "| server CPU us/request | client CPU us/request |\n");
  fmt::print("|---|---|---:|---:|---:|---:|---:|---:|\n");
}

std::expected<ServerProcess, std::string> Suite::daemon(const std::string& name, uint32_t workers) {
  return start_daemon(folder_, {.program = options_.daemon_program,
                                .name = name,
                                .workers = workers,
                                .backend = options_.backend,
                                .cpu = workers == 1 ? options_.server_cpu : std::nullopt,
                                .memory_mib = options_.memory_mib});
}

LoadSettings Suite::load(const Shape& shape) const {
  LoadSettings load = options_.load;
  load.clients = shape.clients;
  load.depth = shape.depth;
  return load;
}

std::expected<std::vector<TargetRuns>, std::string> Suite::compare(const Target& first,
                                                                   const Target& second,
                                                                   const Shape& shape) {
  const AffinityScope unpinned_afterwards;
  if (options_.client_cpu) {
    if (auto pinned = pin_to(*options_.client_cpu); !pinned) {
      return std::unexpected(pinned.error());
    }
  }
  auto measured = measure({first, second}, script_, load(shape), options_.runs);
  if (!measured) return measured;
  for (const TargetRuns& entry : *measured) {
    print_row(fmt::format("{} x {}", shape.clients, shape.depth), entry.target.name,
              summarize(entry));
    if (!entry.fault.empty()) return std::unexpected(entry.target.name + ": " + entry.fault);
  }
  const Ratio ratio = ratio_of(summarize((*measured)[0]), summarize((*measured)[1]));
  fmt::print("| | **{} / {}** | **{:.1f} %** | | | | **{:.2f} x** | |\n", first.name, second.name,
             ratio.throughput * 100, ratio.server_cpu);
  return measured;
}

Status Suite::against_floor() {
  const auto server = daemon("floored", 1);
  if (!server) return std::unexpected(server.error());
  const auto floor =
      start_floor(folder_, options_.backend, options_.script.framing, options_.server_cpu);
  if (!floor) return std::unexpected(floor.error());
  print_head("One worker against the floor");
  for (const Shape& shape : kShapes) {
    const auto compared = compare({"tollkeeperd", server->socket_path(), true},
                                  {"floor", floor->socket_path(), false}, shape);
    if (!compared) return std::unexpected(compared.error());
  }
  return {};
}

Status Suite::more_workers() {
  const auto one = daemon("one", 1);
  if (!one) return std::unexpected(one.error());
  const auto two = daemon("two", 2);
  if (!two) return std::unexpected(two.error());
  print_head("Two workers against one");
  for (const Shape& shape : kShapes) {
    const auto compared = compare({"2 workers", two->socket_path(), true},
                                  {"1 worker", one->socket_path(), true}, shape);
    if (!compared) return std::unexpected(compared.error());
  }
  return {};
}

Status Suite::idle() {
  auto server = daemon("idle", 2);
  if (!server) return std::unexpected(server.error());
  // Let what belongs to the start pass, then watch.
  constexpr std::string_view kEnded = "the daemon ended while it was idle";
  if (server->ends_within(std::chrono::seconds(1))) return std::unexpected(std::string(kEnded));
  const auto before = read_usage(server->pid());
  if (!before) return std::unexpected(before.error());
  const std::chrono::duration<double> watched(options_.suite_idle_s);
  if (server->ends_within(std::chrono::ceil<std::chrono::milliseconds>(watched))) {
    return std::unexpected(std::string(kEnded));
  }
  const auto after = read_usage(server->pid());
  if (!after) return std::unexpected(after.error());
  fmt::print("\n### Idle, two workers, {} s\n\n", options_.suite_idle_s);
  fmt::print("| thread | wake-ups/s | CPU ms/s |\n|---|---:|---:|\n");
  for (const ThreadUsage& thread : (*after - *before).threads) {
    fmt::print("| {} | {:.1f} | {:.2f} |\n", thread.name,
               static_cast<double>(thread.voluntary_switches) / options_.suite_idle_s,
               thread.cpu_s() * 1e3 / options_.suite_idle_s);
  }
  return {};
}

bool tells_size(const std::string& row) {
  for (const char* word : {"key", "byte", "memory", "evict"}) {
    if (row.find(word) != std::string::npos) return true;
  }
  return false;
}

Status Suite::size() {
  fmt::print("\n### Size, one worker, gcra\n\n");
  fmt::print("| keys | RSS before MB | RSS after MB | bytes/key | filled in s | STATS |\n");
  fmt::print("|---:|---:|---:|---:|---:|---|\n");
  for (const uint32_t keys : options_.suite_keys) {
    const auto server = daemon(fmt::format("size-{}", keys), 1);
    if (!server) return std::unexpected(server.error());
    const auto before = read_usage(server->pid());
    if (!before) return std::unexpected(before.error());
    fmt::print(stderr, "filling {} keys\n", keys);
    // The policy that refuses: its keys are in use for an hour, so that none expires meanwhile.
    const auto seconds = fill_keys(server->socket_path(), kRefusePolicy, keys);
    if (!seconds) return std::unexpected(seconds.error());
    const auto after = read_usage(server->pid());
    if (!after) return std::unexpected(after.error());
    const auto stats = ask_list(server->socket_path(), "STATS\n");
    if (!stats) return std::unexpected("STATS: " + stats.error());
    std::string told;
    for (const std::string& row : *stats) {
      if (tells_size(row)) told += (told.empty() ? "" : ", ") + row;
    }
    const auto grown =
        static_cast<double>(after->resident_bytes) - static_cast<double>(before->resident_bytes);
    fmt::print("| {} | {:.1f} | {:.1f} | {:.1f} | {:.1f} | {} |\n", keys,
               static_cast<double>(before->resident_bytes) * 1e-6,
               static_cast<double>(after->resident_bytes) * 1e-6, grown / keys, *seconds, told);
  }
  return {};
}

}  // namespace

std::expected<void, std::string> run_suite(const Options& asked) {
  Options options = asked;
  const std::vector<int> cpus = allowed_cpus();
  if (cpus.size() > 1 && !options.client_cpu) options.client_cpu = cpus.back();
  if (cpus.size() > 1 && !options.server_cpu) options.server_cpu = cpus.front();
  const auto folder = TemporaryFolder::make();
  if (!folder) return std::unexpected(folder.error());

  fmt::print("{} CPUs, {}, {} framing, {} ids, {} runs of {} s, medians\n", cpus.size(),
             to_string(options.backend), options.script.framing == Framing::kLine ? "line" : "RESP",
             options.script.ids, options.runs, options.load.seconds);
  Suite suite(options, *folder);
  for (const auto part :
       {&Suite::against_floor, &Suite::more_workers, &Suite::idle, &Suite::size}) {
    if (auto done = (suite.*part)(); !done) return done;
    std::fflush(stdout);
  }
  return {};
}

}  // namespace toll::bench
