// The layer of the environment: variables over what the file said.
#pragma once

#include "config/assemble.h"
#include "config/host.h"

namespace toll::config {

// Takes in order REDIS_*, RATE_LIMIT_MODE, RATE_LIMIT_<NAME>, then TOLLKEEPER_<SECTION>_<KEY>, so
// that Tollkeeper's own names win. REQUIRES: the file's layer, or the shipped policies, are in
// `assembly`.
void apply_environment(const Environment& environment, Assembly& assembly);

}  // namespace toll::config
