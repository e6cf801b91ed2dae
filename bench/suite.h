// All the figures of bench/README.md in one go, as Markdown on standard output.
#pragma once

#include <expected>
#include <string>

#include "bench/options.h"

namespace toll::bench {

// Takes seconds, runs, seed, framing, back-end, CPUs and the daemon's program from `options`. Where
// no CPUs are given, the load runs on the last one and a server with one worker on the first.
// Errors: a sentence; what was measured until then has been printed.
std::expected<void, std::string> run_suite(const Options& options);

}  // namespace toll::bench
