// What a daemon before Redis takes against asking Redis itself, as Markdown on standard output.
#pragma once

#include <expected>
#include <string>

#include "bench/options.h"

namespace toll::bench {

// Takes seconds, runs, seed, framing, ids, back-end, workers, CPUs and the daemon's program from
// `options`; each algorithm with a limit that refuses nothing, and with one that refuses nearly
// all. Nothing is pinned unless `options` says so: Redis, daemon and clients share the CPUs there
// are. Errors: a sentence; what was measured until then has been printed.
std::expected<void, std::string> run_redis_suite(const Options& options);

}  // namespace toll::bench
