// What was measured, as text for people and as JSON for programs.
#pragma once

#include <string>
#include <vector>

#include "bench/measurement.h"

namespace toll::bench {

// Several lines for each target; the first one is compared with each of the others.
std::string text_report(const std::vector<TargetRuns>& measured);

// One object: {"targets":[{...}],"ratio":{...}}, `ratio` of the first to the last when there are
// several.
std::string json_report(const std::vector<TargetRuns>& measured);

// The first target's figure over the second's.
struct Ratio {
  double throughput = 0;
  double p50 = 0;
  double server_cpu = 0;  // per request; this and the next 0 if one of them is not known
  double redis_script = 0;
  double redis_cpu = 0;
  double records = 0;  // pushed a second; this and the next 0 unless both push
  double cpu_per_record = 0;
};
Ratio ratio_of(const Summary& first, const Summary& second);

}  // namespace toll::bench
