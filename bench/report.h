// What was measured, as text for people and as JSON for programs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bench/measurement.h"

namespace toll::bench {

// A row of cells for each target, with the heads first: the same figures wherever they are shown.
// `against` is the name of the target that the others are compared with.
using Rows = std::vector<std::vector<std::string>>;
Rows figure_rows(const std::vector<TargetSlices>& measured, std::string_view against);

// Several lines for each target, and where there are several the rows.
std::string text_report(const std::vector<TargetSlices>& measured, std::string_view against);

// One object: {"against":"...","targets":[{...}]}, with no line end.
std::string json_report(const std::vector<TargetSlices>& measured, std::string_view against);

// "1.23 M", "456.7 k", "89".
std::string count_text(double count);

// As a string of JSON. Names and messages are ours or a server's: anything but plain ASCII is
// replaced.
std::string json_string(std::string_view text);

// The first target's figures over the second's; 0 where one of them is not known.
struct Ratio {
  double throughput = 0;
  double p50 = 0;
  double server_cpu = 0;  // per request
  double redis_call = 0;
  double redis_cpu = 0;
  double records = 0;  // pushed a second
  double cpu_per_record = 0;
};
Ratio ratio_of(const Summary& first, const Summary& second);

}  // namespace toll::bench
