// What HEALTH, STATS and POLICIES tell, put together from the counters of all workers. Allocates;
// for people and scrapers, not for requests. Any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/process.h"
#include "engine/breaker.h"
#include "engine/policy.h"

namespace toll::daemon {

uint64_t clients(const Process& process);

// How long the longest turn of a worker has lasted that is not over; 0: all loops wait.
int64_t longest_turn_ns(const Process& process);

// The worst that any worker sees of Redis.
struct StoreHealth {
  bool up = true;         // every worker's requests are answered by it
  bool connected = true;  // every worker has its link
  engine::BreakerState breaker;
};
StoreHealth store_health(const Process& process);

// "starting", "ready", "degraded" or "draining".
std::string_view health_state(const Process& process);

// That, then name=value.
std::vector<std::string> health_fields(const Process& process, const engine::PolicyTable& table);
// The same for `systemctl status`: no more than the state and what it rests on.
std::string status_line(const Process& process);

using NamedValues = std::vector<std::pair<std::string, std::string>>;
// `policies` are those in force: each has its decisions among the figures.
NamedValues statistics(const Process& process, const engine::PolicyTable& policies);
// LOG STATS. `size` and `oldest_ms` are the queue's; -1: not known.
NamedValues log_statistics(const Process& process, uint64_t size, int64_t oldest_ms);

// Of all workers together.
uint64_t sum(const Process& process, Counter WorkerCounters::* counter);
// Has any of them set it?
bool any(const Process& process, Counter WorkerCounters::* flag);
// Log records that are gone because the queue or the disk was full, or were cleared away.
uint64_t logs_dropped(const Process& process);
// ... that wait on this host's disk for Redis. REQUIRES: log records are switched on.
uint64_t logs_in_spill(const Process& process);

// policy idhash share, at most `most`: the keys decided on most lately.
std::vector<std::array<std::string, 3>> hot_rows(const Process& process,
                                                 const engine::PolicyTable& policies, size_t most);

// name algorithm limits mode on_outage, for each policy in force.
std::vector<std::array<std::string, 5>> policy_rows(const engine::PolicyTable& table);

}  // namespace toll::daemon
