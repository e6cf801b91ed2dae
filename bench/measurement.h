// Several loads against several servers, taken in turns, and what was measured.
//
// The machine's mood changes from one second to the next. So a run is cut into slices and the
// servers take turns slice by slice, each over connections that stay open: all of them share the
// mood, and the ratio of two is worth more than either figure.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "bench/load.h"
#include "bench/progress.h"
#include "bench/request_script.h"

namespace toll::bench {

struct Target {
  std::string name;
  std::string socket_path;
  const RequestScript* script = nullptr;  // what it is asked; outlives the measurement
  bool answers_by_kind = true;            // false for the floor, which answers all alike
  std::string redis_path = {};  // the Redis it asks, or is: emptied before each run; "" is none
  uint32_t clients = 0;         // its own number; 0: that of the others
  // The same load before each turn, not counted: what a pause has cooled down warms up again.
  double lead_in_s = 0.2;
};

struct MeasureSettings {
  LoadSettings load;
  double seconds = 5;   // of a run, for each target
  double warmup_s = 1;  // the same load before each run, not counted
  double slice_s = 1;   // how long a turn is, roughly; one target alone has one turn
  uint32_t runs = 1;    // each with new connections and an empty Redis
};

struct TargetSlices {
  Target target;
  std::vector<LoadResult> slices;  // of all runs
  std::string fault = {};          // of the first slice that had one, see fault_of()
};

// Loads the targets: a b a b ..., and shows on `progress` how it goes. Errors: a sentence with the
// target's name; a slice that ended but had wrong replies is a fault instead.
std::expected<std::vector<TargetSlices>, std::string> measure(const std::vector<Target>& targets,
                                                              const MeasureSettings& settings,
                                                              ProgressLine& progress);

// One target's figures over its slices: medians of rates and latencies, sums of all that is
// counted.
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
  double server_bytes = 0;  // resident, at the end; 0 where it is not to be seen
  bool has_redis = false;
  double redis_calls = 0;    // per request, as RedisUsage counts them; so are all of Redis'
  double redis_call_us = 0;  // in them, as Redis itself counts
  double redis_cpu_us = 0;   // of its whole process
  double redis_input_bytes = 0;
  double redis_output_bytes = 0;
  ReplyCounts counts;
  std::optional<OpenLoopResult> open_loop;
  // Of the last slice, per thread: the part of the time it was on a CPU, and sleeps a second.
  struct Thread {
    std::string name;
    double busy = 0;
    double sleeps_per_s = 0;
  };
  std::vector<Thread> threads;
};

// REQUIRES: at least one slice.
Summary summarize(const TargetSlices& measured);

}  // namespace toll::bench
