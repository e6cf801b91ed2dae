// What the bench was asked to do, from its command line.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "bench/bench_policy.h"
#include "bench/measurement.h"
#include "bench/request_script.h"
#include "bench/target_servers.h"
#include "net/loop.h"

// NOLINTNEXTLINE(readability-identifier-naming): the name that CLI11 gives it
namespace CLI {
class App;
}

namespace toll::bench {

struct Options {
  MeasureSettings measure;
  ScriptSettings script;
  std::vector<TargetKind> targets;  // different ones, at least one
  std::string against;              // the name of the one that the others are compared with
  ServerSettings servers;           // no daemon's program: none can be started
  std::optional<int> client_cpu;
  bool json = false;
  std::string html_path;  // a page is written there; "": none
  std::string settings;   // all of them, a line each
  std::string command;    // the words of the command line, as they were given
  uint32_t workers = 1;
  Algorithm algorithm = Algorithm::kGcra;
  Limit limit;
  std::string suite_folder;  // the published comparison goes there; "": a plain run
  std::string suite_only;    // questions with this in their names; "": all
  std::string shard_bench;   // the program, for its figure of the suite; "": without it
  double suite_idle_s = 5;
};

// Words of the command line that become something else once all of them are known.
struct RawOptions {
  std::string mix = "check=100";
  std::string framing = "line";
  std::string backend = "auto";
  std::string policy;
  std::string algorithm = "gcra";
  std::string limit;
  std::string hot;
  std::vector<std::string> targets;
  bool floor = false;
  bool direct = false;
  bool redis = false;
  int client_cpu = -1;
  int server_cpu = -1;
};

// Gives `app` its name, its help and its options, which will be put into `options` and `raw`. All
// must outlive its parsing.
void describe_bench(CLI::App& app, Options& options, RawOptions& raw);

// The options, or the exit status of a process that has printed its help (0) or what is wrong with
// its command line (2).
std::expected<Options, int> parse_options(int argc, char** argv);

}  // namespace toll::bench
