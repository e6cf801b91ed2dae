#include "bench/suite.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <string_view>
#include <vector>

#include "bench/affinity.h"
#include "bench/limits.h"
#include "bench/process_usage.h"
#include "bench/progress.h"
#include "bench/questions.h"
#include "bench/results.h"
#include "bench/server_process.h"

namespace toll::bench {
namespace {

using Status = std::expected<void, std::string>;
using Answered = Results::Answered;

constexpr const char* kIdleTitle = "Idle";
constexpr const char* kPauseTitle = "Longest pause";
constexpr const char* kPauseKeys = "10000000";
constexpr uint32_t kIdleWorkers = 2;
constexpr double kQuietLoad = 1;  // processes that run or want to, over the last minute

class Suite {
 public:
  Suite(const Options& options, const TemporaryFolder& folder)
      : options_(options), folder_(folder), cpus_(allowed_cpus()) {}

  Status run();

 private:
  bool is_asked(std::string_view title) const {
    return title.find(options_.suite_only) != std::string_view::npos;
  }
  Status ask(const Question& question);
  Status idle();
  Status longest_pause();
  ServerSettings servers_of(const Question& question) const;
  Status pin_load(const Question& question) const;
  std::expected<double, std::string> top_rate(const Target& target, MeasureSettings settings);
  void keep(Answered answered);
  void add_version(const Target& target);

  const Options& options_;
  const TemporaryFolder& folder_;
  std::vector<int> cpus_;
  ProgressLine progress_;
  Results results_;
};

ServerSettings Suite::servers_of(const Question& question) const {
  ServerSettings servers = options_.servers;
  if (!question.pinned) {
    servers.cpu.reset();
  } else if (!servers.cpu && cpus_.size() > 1) {
    servers.cpu = cpus_.front();
  }
  return servers;
}

Status Suite::pin_load(const Question& question) const {
  if (!question.pinned) return {};
  if (options_.client_cpu) return pin_to(*options_.client_cpu);
  return cpus_.size() > 1 ? pin_to(cpus_.back()) : Status();
}

// A short closed loop says what an open one is to be a part of.
std::expected<double, std::string> Suite::top_rate(const Target& target, MeasureSettings settings) {
  settings.runs = 1;
  settings.seconds = std::min(settings.seconds, 1.0);
  const auto measured = measure({target}, settings, progress_);
  if (!measured) return std::unexpected(measured.error());
  return summarize(measured->front()).throughput;
}

Status Suite::ask(const Question& question) {
  if (!is_asked(question.title)) return {};
  fmt::print("{}\n", question.title);
  std::fflush(stdout);
  const AffinityScope unpinned_afterwards;
  std::vector<TargetServers> servers;
  std::vector<Target> targets;
  for (const TargetSpec& spec : question.targets) {
    progress_.show("starting " + spec.name);
    auto started = TargetServers::start(folder_, spec, servers_of(question));
    if (!started) return std::unexpected(started.error());
    targets.push_back(started->target());
    add_version(targets.back());
    servers.push_back(*std::move(started));
  }
  if (auto pinned = pin_load(question); !pinned) return pinned;

  MeasureSettings settings = options_.measure;
  settings.load.clients = question.clients;
  settings.load.depth = question.depth;
  if (question.part_of_top_rate > 0) {
    const auto rate = top_rate(targets.front(), settings);
    if (!rate) return std::unexpected(rate.error());
    settings.load.rate = *rate * question.part_of_top_rate;
    settings.load.depth = kOpenDepth;
  }
  auto measured = measure(targets, settings, progress_);
  if (!measured) return std::unexpected(measured.error());

  Answers answers;
  for (size_t at = 0; at < measured->size(); ++at) {
    const TargetSlices& entry = (*measured)[at];
    if (!entry.fault.empty()) return std::unexpected(entry.target.name + ": " + entry.fault);
    answers[entry.target.name] = {summarize(entry), servers[at].filled()};
  }
  Answered answered{{question.title, *std::move(measured), question.against}, question.note, {}};
  for (const FigureSpec& figure : question.figures) {
    answered.figures.push_back({figure.name, figure.unit, figure.wanted, figure.value(answers)});
  }
  keep(std::move(answered));
  return {};
}

void Suite::add_version(const Target& target) {
  if (!target.answers_by_kind) return;
  Fact fact = version_fact(target);
  if (std::ranges::find(results_.facts, fact.text, &Fact::text) != results_.facts.end()) return;
  fact.name = "version";
  results_.facts.push_back(std::move(fact));
}

void Suite::keep(Answered answered) {
  progress_.clear();
  for (const Figure& figure : answered.figures) {
    fmt::print("  {}: {}{}{}{}\n", figure.name, figure_text(figure.measured, figure.unit),
               figure.wanted.side == Side::kAny ? "" : ", wanted ", figure.wanted_text(),
               figure.met() ? "" : ": NOT MET");
  }
  std::fflush(stdout);
  results_.questions.push_back(std::move(answered));
}

Status Suite::idle() {
  if (!is_asked(kIdleTitle)) return {};
  fmt::print("{}\n", kIdleTitle);
  progress_.show(fmt::format("watching an idle daemon for {} s", options_.suite_idle_s));
  auto server = start_daemon(folder_, {.program = options_.servers.daemon_program,
                                       .name = "idle",
                                       .workers = kIdleWorkers,
                                       .backend = options_.servers.backend});
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
  double wakes = 0;
  for (const ThreadUsage& thread : (*after - *before).threads) {
    wakes += static_cast<double>(thread.voluntary_switches) / options_.suite_idle_s;
  }
  keep({{kIdleTitle, {}, ""},
        "",
        {{"wake-ups a second, two workers, all threads", Unit::kNumber, at_most(1), wakes}}});
  return {};
}

Status Suite::longest_pause() {
  if (!is_asked(kPauseTitle) || options_.shard_bench.empty()) return {};
  fmt::print("{}\n", kPauseTitle);
  progress_.show("growing to ten million keys");
  const auto told = output_of(folder_, options_.shard_bench, kPauseKeys);
  if (!told) return std::unexpected(told.error());
  constexpr std::string_view kName = "longest call ";
  const size_t found = told->find(kName);
  double longest_us = 0;
  if (found == std::string::npos ||
      std::from_chars(told->data() + found + kName.size(), told->data() + told->size(), longest_us)
              .ec != std::errc()) {
    return std::unexpected(options_.shard_bench + " does not tell the longest call");
  }
  keep({{kPauseTitle, {}, ""},
        "",
        {{"longest call of a shard while it grows to ten million keys", Unit::kMicroseconds,
          at_most(200), longest_us}}});
  return {};
}

Status Suite::run() {
  results_.facts = machine_facts();
  double load = 0;
  results_.rough = getloadavg(&load, 1) == 1 && load > kQuietLoad;
  results_.facts.push_back({"command", options_.command});
  for (const Question& question : comparison(options_.script)) {
    if (auto done = ask(question); !done) {
      return std::unexpected(fmt::format("{}: {}", question.title, done.error()));
    }
  }
  for (const auto part : {&Suite::longest_pause, &Suite::idle}) {
    if (auto done = (this->*part)(); !done) return done;
  }
  if (results_.questions.empty()) return std::unexpected(std::string("--only names no question"));
  return write_results(options_.suite_folder, results_);
}

}  // namespace

std::expected<void, std::string> run_suite(const Options& options) {
  const auto folder = TemporaryFolder::make();
  if (!folder) return std::unexpected(folder.error());
  return Suite(options, *folder).run();
}

}  // namespace toll::bench
