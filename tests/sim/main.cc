// tollkeeper-sim: runs the fleet in simulation, one seed or many, and says what promise was broken.
//
//   tollkeeper-sim --seed 7 --steps 20000 --verbose     one seed, told as it happens
//   tollkeeper-sim --seconds 60                         fresh seeds for so long
//   tollkeeper-sim --corpus tests/sim/corpus.txt        seeds that once failed

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fmt/format.h>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "engine/flaws.h"
#include "tests/sim/world.h"

#ifdef TOLL_FLAWS
namespace toll::engine {
inline namespace with_flaws {
Flaw flaw_in_force = Flaw::kNone;
}
}  // namespace toll::engine
#endif

namespace toll::sim {
namespace {

using Instant = std::chrono::steady_clock::time_point;

struct Totals {
  uint64_t seeds = 0;
  uint64_t steps = 0;
  uint64_t requests = 0;
  uint64_t charges = 0;
  uint64_t records = 0;
  uint64_t redis_commands = 0;
  double simulated_s = 0;
  std::array<uint64_t, kFaults> faults{};
  uint64_t cache_checks = 0;

  void add(const RunResult& result) {
    ++seeds;
    steps += result.steps;
    requests += result.counts.answered;
    charges += result.charges;
    records += result.records;
    redis_commands += result.redis_commands;
    cache_checks += result.counts.cache_checks;
    simulated_s += static_cast<double>(result.simulated_ns) / static_cast<double>(kNsPerS);
    for (size_t i = 0; i < kFaults; ++i) faults[i] += result.faults[i];
  }
};

double seconds_since(Instant began) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

void print(const Totals& totals, double seconds) {
  fmt::print(
      "{} seeds, {} steps, {} requests, {} charges, {} log records, {} Redis commands, {:.1f} "
      "simulated hours, {:.0f} x real time\n",
      totals.seeds, totals.steps, totals.requests, totals.charges, totals.records,
      totals.redis_commands, totals.simulated_s / 3'600, totals.simulated_s / seconds);
  std::string faults;
  for (size_t i = 0; i < kFaults; ++i) {
    faults += fmt::format(" {} {}", to_string(static_cast<Fault>(i)), totals.faults[i]);
  }
  fmt::print("faults:{}\n", faults);
  std::fflush(stdout);
}

std::string_view words_of(LogShare share) {
  if (share == LogShare::kDrawn) return "";
  return share == LogShare::kAll ? " --only-logs" : " --no-logs";
}

// True if all promises were kept.
bool run(const RunSettings& settings, Totals& totals) {
  RunResult result;
  {
    World world(settings);
    result = world.run();
  }
  totals.add(result);
  if (result.violation.empty()) return true;
  if (!settings.aloud) {
    for (const std::string& line : result.history) fmt::print("{}\n", line);
  }
  fmt::print(
      "\nseed {} broke a promise: {}\n  again: tollkeeper-sim --seed {} --steps {}{} --verbose\n",
      settings.seed, result.violation, settings.seed, settings.steps, words_of(settings.logs));
  return false;
}

struct Options {
  uint64_t seed = 0;
  bool seed_given = false;
  uint64_t steps = 20'000;
  double seconds = 0;
  double report_every = 0;
  uint64_t seeds = 0;
  std::string corpus;
  bool idle = false;
  bool verbose = false;
  bool only_logs = false;
  bool no_logs = false;
};

// Lines of `seed steps`, perhaps with `only-logs` or `no-logs`; the rest of a line is a remark.
std::vector<RunSettings> read_corpus(const std::string& path) {
  std::vector<RunSettings> all;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    RunSettings settings;
    if (line.starts_with('#') || !(words >> settings.seed >> settings.steps)) continue;
    std::string share;
    words >> share;
    if (share == "only-logs") settings.logs = LogShare::kAll;
    if (share == "no-logs") settings.logs = LogShare::kNone;
    all.push_back(settings);
  }
  return all;
}

int run_all(const Options& options) {
  Totals totals;
  const Instant began = std::chrono::steady_clock::now();
  bool good = true;
  for (const RunSettings& settings :
       options.corpus.empty() ? std::vector<RunSettings>{} : read_corpus(options.corpus)) {
    good = run(settings, totals) && good;
  }
  const LogShare share = options.only_logs ? LogShare::kAll
                         : options.no_logs ? LogShare::kNone
                                           : LogShare::kDrawn;
  const bool many = options.seconds > 0 || options.seeds > 0;
  if (options.seed_given && !many) {
    good = run({options.seed, options.steps, options.idle, options.verbose, share}, totals) && good;
  } else if (many) {
    uint64_t seed =
        options.seed_given ? options.seed : std::random_device{}() * uint64_t{1'000'000};
    fmt::print("seeds from {}\n", seed);
    double reported = 0;
    for (uint64_t count = 0; good; ++count, ++seed) {
      if (options.seeds > 0 && count >= options.seeds) break;
      if (options.seconds > 0 && seconds_since(began) >= options.seconds) break;
      good = run({seed, options.steps, options.idle, options.verbose, share}, totals);
      if (options.report_every > 0 && seconds_since(began) >= reported + options.report_every) {
        reported = seconds_since(began);
        print(totals, reported);
      }
    }
  }
  print(totals, seconds_since(began));
  return good ? 0 : 1;
}

}  // namespace
}  // namespace toll::sim

int main(int argc, char** argv) {
  toll::sim::Options options;
  CLI::App app("Runs a fleet of tollkeeperd in simulation and looks for broken promises");
  const auto* seed =
      app.add_option("--seed", options.seed, "the first seed; without it, a random one");
  app.add_option("--steps", options.steps, "steps under faults of each seed");
  app.add_option("--seeds", options.seeds, "so many seeds, one after the other");
  app.add_option("--seconds", options.seconds, "new seeds for so long");
  app.add_option("--report", options.report_every, "a line of sums every so many seconds");
  app.add_option("--corpus", options.corpus, "a file of seeds to run first, as `seed steps` lines");
  app.add_flag("--idle", options.idle, "no clients and no faults");
  app.add_flag("--only-logs", options.only_logs, "clients ask about log records alone");
  app.add_flag("--no-logs", options.no_logs, "nobody asks about log records");
  app.add_flag("--verbose", options.verbose, "tell all that happens");
#ifdef TOLL_FLAWS
  std::string flaw = "none";
  app.add_option("--flaw", flaw, "break a promise on purpose, in this way");
#endif
  CLI11_PARSE(app, argc, argv);
  options.seed_given = seed->count() > 0;
#ifdef TOLL_FLAWS
  const auto found = std::ranges::find(toll::engine::kFlawNames, flaw);
  if (found == toll::engine::kFlawNames.end()) {
    fmt::print(stderr, "--flaw {}: there is no such flaw\n", flaw);
    return 2;
  }
  toll::engine::flaw_in_force =
      static_cast<toll::engine::Flaw>(found - toll::engine::kFlawNames.begin());
#endif
  return toll::sim::run_all(options);
}
