// The metrics page: every figure of this process as families of Prometheus, and their text.
//
// Sums the workers' counters as they stand at the moment; nothing is kept. No label has an id in
// it: labels are the configured policies and fixed words. Every series is there from the start.
// Allocates; any thread but a worker's.
#pragma once

#include <prometheus/metric_family.h>
#include <string>
#include <vector>

#include "daemon/process.h"
#include "engine/policy.h"

namespace toll::daemon {

std::vector<prometheus::MetricFamily> metric_families(const Process& process,
                                                      const engine::PolicyTable& policies);

// Prometheus' text format, version 0.0.4.
std::string metrics_text(const Process& process, const engine::PolicyTable& policies);

}  // namespace toll::daemon
