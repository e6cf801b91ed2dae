// The published comparison: asks its questions and writes what was measured.
#pragma once

#include <expected>
#include <string>

#include "bench/options.h"

namespace toll::bench {

// Takes seconds, slices, runs, seed, framing, ids, back-end, memory, the programs and the folder
// from `options`, and the CPUs of pinned questions if they are given. Prints each figure as it is
// known. Errors: a sentence, also when replies were wrong; then nothing was written.
std::expected<void, std::string> run_suite(const Options& options);

}  // namespace toll::bench
