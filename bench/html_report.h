// What was measured, as one page that needs nothing else: no network, no script, drawings inside.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "bench/measurement.h"

namespace toll::bench {

// A line of the page's head: what it is called, and what it was.
struct Fact {
  std::string name;
  std::string text;
};

// The host, its CPU, kernel and compiler, and what each target says of its version. Reads /proc and
// asks the targets, so they must still run.
std::vector<Fact> machine_facts(const std::vector<TargetRuns>& measured);

// The page: `facts`, a table of figures, latency by percentile and throughput over time. Texts may
// hold any bytes.
std::string html_report(const std::vector<TargetRuns>& measured, const std::vector<Fact>& facts);

// Errors: a sentence that names the file.
std::expected<void, std::string> write_file(const std::string& path, const std::string& text);

}  // namespace toll::bench
