// What HEALTH, STATS and POLICIES tell, put together from the counters of all workers. Allocates;
// for people and scrapers, not for requests. Any thread.
#pragma once

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "daemon/process.h"
#include "engine/policy.h"

namespace toll::daemon {

// "ready", then name=value.
std::vector<std::string> health_fields(const Process& process, const engine::PolicyTable& table);

std::vector<std::pair<std::string, std::string>> statistics(const Process& process);

// name algorithm limits mode on_outage, for each policy in force.
std::vector<std::array<std::string, 5>> policy_rows(const engine::PolicyTable& table);

}  // namespace toll::daemon
