// What was measured, as one page that needs nothing else: no network, no script, drawings inside.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "bench/measurement.h"
#include "bench/report.h"

namespace toll::bench {

// A line of the page's head: what it is called, and what it was.
struct Fact {
  std::string name;
  std::string text;
};

// The date, the host with its CPU, kernel and load, and the compiler. Reads /proc.
std::vector<Fact> machine_facts();
// What a target says of its version. Asks it, so it must still run.
Fact version_fact(const Target& target);

struct PageSection {
  std::string title;
  std::vector<TargetSlices> measured;
  std::string against;  // see figure_rows()
};

// The page: `facts`; `figures`, rows with their heads first, if there are any; and of each section
// a table, latency by percentile and throughput over time. Texts may hold any bytes.
std::string html_report(const std::vector<Fact>& facts, const Rows& figures,
                        const std::vector<PageSection>& sections);

// Errors: a sentence that names the file.
std::expected<void, std::string> write_file(const std::string& path, const std::string& text);

}  // namespace toll::bench
