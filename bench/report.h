// What was measured, as text for people and as JSON for programs.
#pragma once

#include <string>
#include <vector>

#include "bench/measurement.h"

namespace toll::bench {

// Several lines for each target; the last target is what the first one is compared with when there
// are two.
std::string text_report(const std::vector<TargetRuns>& measured);

// One object: {"targets":[{...}],"ratio":{...}}, `ratio` only when there are two.
std::string json_report(const std::vector<TargetRuns>& measured);

// The first target's figure over the second's.
struct Ratio {
  double throughput = 0;
  double server_cpu = 0;  // per request; 0 if one of them is not known
};
Ratio ratio_of(const Summary& first, const Summary& second);

}  // namespace toll::bench
