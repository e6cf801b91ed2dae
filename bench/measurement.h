// Several loads against several servers, taken in turns, and the medians of what was measured.
//
// The machine's mood changes from one minute to the next: taken in turns, all servers share it, so
// that the ratio of two of them is worth more than either figure.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "bench/load.h"
#include "bench/request_script.h"

namespace toll::bench {

struct Target {
  std::string name;
  std::string socket_path;
  bool answers_by_kind = true;  // false for the floor, which answers all alike
  std::string redis_path = {};  // the Redis it asks, or is: emptied before each run; "" is none
  uint32_t clients = 0;         // its own number; 0: that of the others
  const RequestScript* script = nullptr;  // its own; null: the one that all are sent
};

struct TargetRuns {
  Target target;
  std::vector<LoadResult> runs;
  std::string fault;  // of the first run that had one, see fault_of()
};

// `runs` loads against each target: a b a b ... Says on standard error which one is running.
// Errors: a sentence with the target's name; a run that ended but had wrong replies is a fault
// instead.
std::expected<std::vector<TargetRuns>, std::string> measure(const std::vector<Target>& targets,
                                                            const RequestScript& script,
                                                            const LoadSettings& settings,
                                                            uint32_t runs);

// The medians over a target's runs, figure by figure; counts are sums.
struct Summary {
  double throughput = 0;  // replies a second
  double p50_us = 0;
  double p90_us = 0;
  double p99_us = 0;
  double p999_us = 0;
  double max_us = 0;
  double pushed_per_s = 0;  // log records
  double pushed_bytes_per_s = 0;
  double popped_per_s = 0;
  double popped_bytes_per_s = 0;
  double client_cpu_us = 0;  // per request
  double server_cpu_us = 0;
  bool has_redis = false;
  double redis_calls_per_1000 = 0;  // EVALSHA for 1,000 requests
  double redis_script_us = 0;       // per request, in scripts, as Redis itself counts
  double redis_cpu_us = 0;          // per request, of its whole process
  ReplyCounts counts;
  std::optional<OpenLoopResult> open_loop;  // sums
  // Of the last run, per thread: the part of the time it was on a CPU, and sleeps a second.
  struct Thread {
    std::string name;
    double busy = 0;
    double sleeps_per_s = 0;
  };
  std::vector<Thread> threads;
};

// REQUIRES: at least one run.
Summary summarize(const TargetRuns& runs);

}  // namespace toll::bench
