// What the bench was asked to do, from its command line.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "bench/bench_policy.h"
#include "bench/load.h"
#include "bench/request_script.h"
#include "net/loop.h"

// NOLINTNEXTLINE(readability-identifier-naming): the name that CLI11 gives it
namespace CLI {
class App;
}

namespace toll::bench {

struct Options {
  LoadSettings load;
  ScriptSettings script;
  uint32_t runs = 1;
  std::string socket_path = "/run/tollkeeper/tollkeeper.sock";
  std::optional<int> client_cpu;
  std::optional<int> server_cpu;
  bool floor = false;
  bool direct = false;  // Redis itself, asked by the same clients
  bool redis = false;   // behind the daemon started
  bool json = false;
  std::string html_path;  // a page is written there; "": none
  std::string settings;   // all of them, a line each
  std::string command;    // the words of the command line, as they were given
  // A daemon of our own; "" to use the one at socket_path.
  std::string daemon_program;
  uint32_t workers = 1;
  uint64_t memory_mib = 2048;
  net::Backend backend = net::Backend::kUring;  // "auto" is resolved: what works here
  Algorithm algorithm = Algorithm::kGcra;
  Limit limit;
  bool suite = false;
  bool suite_redis = false;
  std::vector<uint32_t> suite_keys = {1'000'000, 10'000'000};
  double suite_idle_s = 10;
};

// Words of the command line that become something else once all of them are known.
struct RawOptions {
  std::string mix = "check=100";
  std::string framing = "line";
  std::string backend = "auto";
  std::string policy;
  std::string algorithm = "gcra";
  std::string limit;
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
