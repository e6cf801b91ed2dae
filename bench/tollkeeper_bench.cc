// tollkeeper-bench: loads a daemon and says what it took. bench/README.md tells how to use it.

#include <algorithm>
#include <cstdio>
#include <fmt/format.h>
#include <string>
#include <vector>

#include "bench/affinity.h"
#include "bench/html_report.h"
#include "bench/measurement.h"
#include "bench/options.h"
#include "bench/report.h"
#include "bench/suite.h"
#include "bench/target_servers.h"

namespace toll::bench {
namespace {

constexpr int kFailed = 1;

int fail(const std::string& why) {
  fmt::print(stderr, "tollkeeper-bench: {}\n", why);
  return kFailed;
}

std::expected<void, std::string> write_page(const std::vector<TargetSlices>& measured,
                                            const Options& options) {
  std::vector<Fact> facts = machine_facts();
  for (const TargetSlices& entry : measured) facts.push_back(version_fact(entry.target));
  facts.push_back({"command", options.command});
  std::string settings = options.settings;
  std::ranges::replace(settings, '\n', ' ');
  facts.push_back({"settings", settings});
  return write_file(options.html_path,
                    html_report(facts, {}, {{"Figures", measured, options.against}}));
}

int run_plain(const Options& options) {
  const auto folder = TemporaryFolder::make();
  if (!folder) return fail(folder.error());
  std::vector<TargetServers> servers;
  std::vector<Target> targets;
  for (const TargetKind kind : options.targets) {
    auto started = TargetServers::start(*folder,
                                        {.kind = kind,
                                         .name = std::string(to_string(kind)),
                                         .script = options.script,
                                         .algorithm = options.algorithm,
                                         .limit = options.limit,
                                         .workers = options.workers},
                                        options.servers);
    if (!started) return fail(started.error());
    targets.push_back(started->target());
    servers.push_back(*std::move(started));
  }
  // After the servers were forked, or they would inherit it.
  if (options.client_cpu) {
    if (auto pinned = pin_to(*options.client_cpu); !pinned) return fail(pinned.error());
  }
  ProgressLine progress;
  const auto measured = measure(targets, options.measure, progress);
  progress.clear();
  if (!measured) return fail(measured.error());
  fmt::print("{}", options.json ? json_report(*measured, options.against) + "\n"
                                : text_report(*measured, options.against));
  if (!options.html_path.empty()) {
    if (auto written = write_page(*measured, options); !written) return fail(written.error());
  }
  const bool sound = std::ranges::all_of(*measured, &std::string::empty, &TargetSlices::fault);
  return sound ? 0 : kFailed;
}

int run(int argc, char** argv) {
  const auto options = parse_options(argc, argv);
  if (!options) return options.error();
  if (options->suite_folder.empty()) return run_plain(*options);
  if (const auto done = run_suite(*options); !done) return fail(done.error());
  return 0;
}

}  // namespace
}  // namespace toll::bench

int main(int argc, char** argv) {
  return toll::bench::run(argc, argv);
}
