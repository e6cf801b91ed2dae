// What Redis itself is asked in place of a daemon: the requests, with their scripts loaded.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "bench/bench_policy.h"
#include "bench/request_script.h"

namespace toll::bench {

// Whether Redis itself can be asked what the mix asks for: CHECK and COST alone, or log records
// alone.
bool is_direct_mix(const std::vector<MixPart>& mix);
// Whether it pushes log records: those one connection sends by the hundred.
bool is_direct_list(const std::vector<MixPart>& mix);

// The requests for the Redis at `redis_path` that are to it what `asked` is to a daemon: of checks
// the limit is `limit`, or the refusing one where that policy is asked for. Errors: a sentence.
// REQUIRES: is_direct_mix().
std::expected<RequestScript, std::string> render_direct(const std::string& redis_path,
                                                        Algorithm algorithm, const Limit& limit,
                                                        const ScriptSettings& asked);

}  // namespace toll::bench
