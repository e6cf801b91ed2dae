#include "daemon/report.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>

#include "daemon/log_spill.h"
#include "daemon/logger.h"
#include "daemon/treasury.h"
#include "daemon/version.h"
#include "engine/breaker.h"

namespace toll::daemon {

uint64_t sum(const Process& process, Counter WorkerCounters::* counter) {
  uint64_t total = 0;
  for (const auto& counters : process.counters) total += ((*counters).*counter).get();
  return total;
}

uint64_t logs_dropped(const Process& process) {
  const uint64_t dropped = sum(process, &WorkerCounters::logs_dropped);
  if (process.spill == nullptr) return dropped;
  const uint64_t on_disk = process.spill->figures().dropped.load();
  return dropped + on_disk - std::min(on_disk, sum(process, &WorkerCounters::logs_rescued));
}

uint64_t logs_in_spill(const Process& process) {
  const uint64_t in = process.spill->records_at_start() +
                      sum(process, &WorkerCounters::logs_spilled) +
                      sum(process, &WorkerCounters::logs_rescued);
  const uint64_t out =
      sum(process, &WorkerCounters::logs_drained) + process.spill->figures().dropped.load();
  return in > out ? in - out : 0;
}

namespace {

uint64_t clients(const Process& process) {
  // Closed first: a connection that closes between the two readings is counted, never a negative
  // number.
  const uint64_t closed = sum(process, &WorkerCounters::connections_closed);
  return sum(process, &WorkerCounters::connections_opened) - closed;
}

int64_t uptime_s(const Process& process) {
  return (process.machine.monotonic_ns() - process.started_ns) / 1'000'000'000;
}

// The worst that any worker sees of Redis.
struct StoreHealth {
  bool up = true;                      // every worker's requests are answered by it
  std::string_view state = "failing";  // what it is if not up
  engine::BreakerState breaker;
};

StoreHealth store_health(const Process& process) {
  StoreHealth health{.breaker = process.breakers.state()};
  health.up = health.breaker == engine::BreakerState::kClosed;
  for (const auto& counters : process.counters) {
    if (counters->store_ready.get() != 0) continue;
    health.up = false;
    health.state = "away";
  }
  return health;
}

std::string_view journal_health(const Process& process) {
  if (process.treasury == nullptr) return "off";
  switch (process.treasury->journal().state.load()) {
    case JournalState::kReady:
      return "ready";
    case JournalState::kFull:
      return "full";
    case JournalState::kFailed:
      return "failed";
  }
  return "";
}

std::string_view costs_health(const Process& process) {
  if (process.treasury == nullptr) return "off";
  if (sum(process, &WorkerCounters::costs_fenced) != 0) return "fenced";
  if (sum(process, &WorkerCounters::costs_unsafe) != 0) return "unsafe_eviction";
  return process.treasury->journal().state.load() == JournalState::kReady ? "ready" : "refused";
}

// "spilling": records go to the disk, because Redis is away or older ones wait there.
std::string_view logs_health(const Process& process) {
  if (process.spill == nullptr) return "off";
  if (process.spill->figures().state.load() != JournalState::kReady) return "refused";
  return process.redis.enabled && logs_in_spill(process) > 0 ? "spilling" : "ready";
}

bool costs_down(const Process& process) {
  return process.treasury != nullptr && costs_health(process) != "ready";
}

std::vector<std::string> state_fields(const Process& process) {
  const StoreHealth store = store_health(process);
  const std::string_view state = process.draining.load() ? "draining"
                                 : (process.redis.enabled && !store.up) || costs_down(process)
                                     ? "degraded"
                                     : "ready";
  return {
      std::string(state),
      fmt::format("redis={}", process.redis.enabled ? store.up ? "up" : store.state : "off"),
      fmt::format("breaker={}", process.redis.enabled ? to_string(store.breaker) : "none"),
      fmt::format("journal={}", journal_health(process)),
      fmt::format("costs={}", costs_health(process)),
      fmt::format("logs={}", logs_health(process)),
  };
}

}  // namespace

std::vector<std::string> health_fields(const Process& process, const engine::PolicyTable& table) {
  const auto active = std::count_if(table.policies().begin(), table.policies().end(),
                                    [](const engine::Policy& policy) { return policy.active; });
  std::vector<std::string> fields = state_fields(process);
  fields.push_back(fmt::format("backend={}", net::to_string(process.machine.backend())));
  fields.push_back(fmt::format("workers={}", process.workers_count));
  fields.push_back(fmt::format("clients={}", clients(process)));
  fields.push_back(fmt::format("policies={}", active));
  fields.push_back(fmt::format("hosts={}", process.hosts.load()));
  fields.push_back(fmt::format("uptime_s={}", uptime_s(process)));
  return fields;
}

// How many clients are left matters while one waits for the last to go.
std::string status_line(const Process& process) {
  std::vector<std::string> fields = state_fields(process);
  if (process.draining.load()) fields.push_back(fmt::format("clients={}", clients(process)));
  return fmt::format("{}", fmt::join(fields, " "));
}

NamedValues statistics(const Process& process) {
  using Field = Counter WorkerCounters::*;
  static constexpr std::pair<const char*, Field> kSums[] = {
      {"connections", &WorkerCounters::connections_opened},
      {"connections_refused", &WorkerCounters::connections_refused},
      {"requests", &WorkerCounters::requests},
      {"allowed", &WorkerCounters::allowed},
      {"denied", &WorkerCounters::denied},
      {"errors", &WorkerCounters::errors},
      {"forwarded", &WorkerCounters::forwarded},
      {"doorbells", &WorkerCounters::doorbells},
      {"stalls", &WorkerCounters::stalls},
      {"keys", &WorkerCounters::keys},
      {"key_bytes", &WorkerCounters::key_bytes},
      {"keys_expired", &WorkerCounters::expired},
      {"keys_evicted", &WorkerCounters::evicted},
      {"refused_for_memory", &WorkerCounters::full},
      {"redis_calls", &WorkerCounters::store_calls},
      {"redis_requests", &WorkerCounters::store_requests},
      {"redis_errors", &WorkerCounters::store_errors},
      {"redis_lost", &WorkerCounters::store_lost},
      {"redis_away", &WorkerCounters::store_away},
      {"redis_full", &WorkerCounters::store_full},
      {"redis_poisoned", &WorkerCounters::store_poisoned},
      {"redis_repaid", &WorkerCounters::store_repaid},
      {"breaker_trips", &WorkerCounters::breaker_trips},
      {"costs_accepted", &WorkerCounters::costs_accepted},
      {"costs_applied", &WorkerCounters::costs_applied},
      {"costs_duplicates", &WorkerCounters::costs_duplicates},
      {"costs_rewinds", &WorkerCounters::costs_rewinds},
      {"costs_given_up", &WorkerCounters::costs_given_up},
      {"costs_calls", &WorkerCounters::costs_calls},
      {"costs_errors", &WorkerCounters::costs_errors},
      {"costs_lost", &WorkerCounters::costs_lost},
      {"costs_by_ledger", &WorkerCounters::costs_by_ledger},
      {"logs_pushed", &WorkerCounters::logs_pushed},
      {"logs_refused", &WorkerCounters::logs_refused},
      {"logs_popped", &WorkerCounters::logs_popped},
      {"logs_returned", &WorkerCounters::logs_returned},
      {"logs_spilled", &WorkerCounters::logs_spilled},
      {"logs_drained", &WorkerCounters::logs_drained},
      {"logs_calls", &WorkerCounters::logs_calls},
      {"logs_errors", &WorkerCounters::logs_errors},
      {"logs_lost", &WorkerCounters::logs_lost},
      {"turns", &WorkerCounters::turns},
      {"receives_starved", &WorkerCounters::starved},
      {"completion_overflows", &WorkerCounters::overflows},
  };
  NamedValues rows = {
      {"version", std::string(kVersion)},
      {"uptime_s", std::to_string(uptime_s(process))},
      {"workers", std::to_string(process.workers_count)},
      {"backend", std::string(net::to_string(process.machine.backend()))},
      {"clients", std::to_string(clients(process))},
  };
  for (const auto& [name, counter] : kSums) {
    rows.emplace_back(name, std::to_string(sum(process, counter)));
  }
  for (size_t source = 0; source < engine::kSources; ++source) {
    uint64_t total = 0;
    for (const auto& counters : process.counters) total += counters->by_source[source].get();
    rows.emplace_back(fmt::format("source_{}", to_string(static_cast<engine::Source>(source))),
                      std::to_string(total));
  }
  if (process.log != nullptr) {
    rows.emplace_back("log_lines_dropped", std::to_string(process.log->dropped()));
  }
  if (process.treasury != nullptr) {
    const JournalFigures& journal = process.treasury->journal();
    rows.emplace_back("journal_bytes", std::to_string(journal.bytes.load()));
    rows.emplace_back("journal_commits", std::to_string(journal.commits.load()));
    rows.emplace_back("journal_frames", std::to_string(journal.frames.load()));
    rows.emplace_back("journal_failures", std::to_string(journal.failures.load()));
  }
  if (process.spill != nullptr) {
    rows.emplace_back("logs_dropped", std::to_string(logs_dropped(process)));
    rows.emplace_back("spill_bytes", std::to_string(process.spill->figures().bytes.load()));
  }
  return rows;
}

NamedValues log_statistics(const Process& process, uint64_t size, int64_t oldest_ms) {
  const auto of = [&](Counter WorkerCounters::* counter) {
    return std::to_string(sum(process, counter));
  };
  return {{"size", std::to_string(size)},
          {"max", std::to_string(process.logs.max)},
          {"pushed", of(&WorkerCounters::logs_pushed)},
          {"popped", of(&WorkerCounters::logs_popped)},
          {"returned", of(&WorkerCounters::logs_returned)},
          {"dropped", std::to_string(logs_dropped(process))},
          {"spilled", of(&WorkerCounters::logs_spilled)},
          {"oldest_ms", std::to_string(oldest_ms)}};
}

std::vector<std::array<std::string, 5>> policy_rows(const engine::PolicyTable& table) {
  std::vector<std::array<std::string, 5>> rows;
  for (const engine::Policy& policy : table.policies()) {
    if (!policy.active) continue;
    const engine::PolicySpec& spec = policy.spec;
    rows.push_back({spec.name, std::string(to_string(spec.algorithm)),
                    engine::PolicyTable::describe_limits(spec), std::string(to_string(spec.mode)),
                    std::string(to_string(spec.on_outage))});
  }
  return rows;
}

}  // namespace toll::daemon
