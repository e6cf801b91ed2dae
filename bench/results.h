// The files of the published comparison. Their names and their order stay, so that a later run
// replaces them and the difference is what changed.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "bench/figure.h"
#include "bench/html_report.h"

namespace toll::bench {

struct Results {
  std::vector<Fact> facts;
  bool rough = false;  // the machine had something else to do, which the page says
  struct Answered {
    PageSection section;
    std::string note;
    std::vector<Figure> figures;
  };
  std::vector<Answered> questions;  // those without a section's targets are figures alone
};

// Writes README.md, results.json and results.html into `folder`, which is made if need be. Errors:
// a sentence that names the file.
std::expected<void, std::string> write_results(const std::string& folder, const Results& results);

}  // namespace toll::bench
