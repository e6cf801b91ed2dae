#include "daemon/report.h"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>

#include "daemon/herald.h"
#include "daemon/log_spill.h"
#include "daemon/logger.h"
#include "daemon/treasury.h"
#include "daemon/version.h"
#include "daemon/worker_figures.h"
#include "engine/breaker.h"

namespace toll::daemon {

uint64_t sum(const Process& process, Counter WorkerCounters::* counter) {
  uint64_t total = 0;
  for (const auto& counters : process.counters) total += ((*counters).*counter).get();
  return total;
}

bool any(const Process& process, Counter WorkerCounters::* flag) {
  return std::any_of(process.counters.begin(), process.counters.end(),
                     [flag](const auto& counters) { return ((*counters).*flag).get() != 0; });
}

uint64_t logs_dropped(const Process& process) {
  const uint64_t dropped = sum(process, &WorkerCounters::logs_dropped);
  if (process.spill == nullptr) return dropped;
  const uint64_t rescued = process.spill->figures().rescued.load();  // first: it never is more
  return dropped + process.spill->figures().dropped.load() - rescued;
}

uint64_t logs_in_spill(const Process& process) {
  const uint64_t in = process.spill->records_at_start() +
                      sum(process, &WorkerCounters::logs_spilled) +
                      process.spill->figures().rescued.load();
  const uint64_t out =
      sum(process, &WorkerCounters::logs_drained) + process.spill->figures().dropped.load();
  return in > out ? in - out : 0;
}

namespace {

int64_t uptime_s(const Process& process) {
  return (process.machine.monotonic_ns() - process.started_ns) / 1'000'000'000;
}

std::string_view journal_health(const Process& process) {
  if (process.treasury == nullptr) return "off";
  return to_string(process.treasury->journal().state.load());
}

std::string_view costs_health(const Process& process) {
  if (process.treasury == nullptr) return "off";
  if (any(process, &WorkerCounters::costs_fenced)) return "fenced";
  if (any(process, &WorkerCounters::costs_unsafe)) return "unsafe_eviction";
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

}  // namespace

uint64_t clients(const Process& process) {
  // Closed first: a connection that closes between the two readings is counted, never a negative
  // number.
  uint64_t closed = 0;
  for (const auto& counters : process.counters) closed += counters->connections_closed.get();
  uint64_t opened = 0;
  for (const auto& counters : process.counters) opened += counters->connections_opened.get();
  return opened - closed;
}

int64_t longest_turn_ns(const Process& process) {
  int64_t since_ns = INT64_MAX;
  for (const auto& counters : process.counters) {
    const auto each_ns = static_cast<int64_t>(counters->turn_since_ns.get());
    if (each_ns != 0) since_ns = std::min(since_ns, each_ns);
  }
  return std::max<int64_t>(0, process.machine.monotonic_ns() - since_ns);
}

StoreHealth store_health(const Process& process) {
  StoreHealth health{.breaker = process.breakers.state()};
  for (const auto& counters : process.counters) {
    if (counters->store_ready.get() == 0) health.connected = false;
  }
  health.up = health.connected && health.breaker == engine::BreakerState::kClosed;
  return health;
}

std::string_view health_state(const Process& process) {
  if (process.starting.load()) return "starting";
  if (process.draining.load()) return "draining";
  const bool without_store = process.redis.enabled && !store_health(process).up;
  return without_store || costs_down(process) ? "degraded" : "ready";
}

namespace {

std::vector<std::string> state_fields(const Process& process) {
  const StoreHealth store = store_health(process);
  const std::string_view redis = !process.redis.enabled ? "off"
                                 : store.up             ? "up"
                                 : store.connected      ? "failing"
                                                        : "away";
  return {
      std::string(health_state(process)),
      fmt::format("redis={}", redis),
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

namespace {

// Of one policy, by all sources and workers.
uint64_t decisions_on(const Process& process, uint16_t policy, bool admitted) {
  uint64_t total = 0;
  for (const auto& counters : process.counters) {
    const DecisionCounters* row = counters->decisions.find(policy);
    if (row != nullptr) total += sum(admitted ? row->admitted : row->refused);
  }
  return total;
}

void add_policies(const Process& process, const engine::PolicyTable& policies, NamedValues& rows) {
  const auto add = [&](uint16_t policy, std::string_view name) {
    for (const bool admitted : {true, false}) {
      rows.emplace_back(fmt::format("policy_{}_{}", name, admitted ? "allowed" : "denied"),
                        std::to_string(decisions_on(process, policy, admitted)));
    }
  };
  for (const engine::Policy& policy : policies.policies()) {
    if (policy.active) add(policy.id, policy.spec.name);
  }
  add(engine::kThrottlePolicy, kThrottleLabel);
}

void add_workers(const Process& process, NamedValues& rows) {
  for (size_t i = 0; i < process.counters.size(); ++i) {
    const WorkerCounters& counters = *process.counters[i];
    const uint64_t decisions = counters.decisions.sum(true) + counters.decisions.sum(false);
    const auto add = [&](std::string_view what, uint64_t value) {
      rows.emplace_back(fmt::format("worker_{}_{}", i, what), std::to_string(value));
    };
    add("requests", counters.requests.get());
    add("decisions", decisions);
    add("clients", counters.connections_opened.get() - counters.connections_closed.get());
    add("turns", counters.turns.get());
  }
}

// How many took at most each bound, as Prometheus counts them. `each` is called with a worker's
// counters and with what to do with each of its histograms.
template <class Each>
void add_times(const Process& process, std::string_view name, Each each, NamedValues& rows) {
  std::array<uint64_t, TimesUs::kBuckets> counts{};
  uint64_t total_us = 0;
  for (const auto& counters : process.counters) {
    each(*counters, [&](const TimesUs& times) {
      for (size_t i = 0; i < counts.size(); ++i) counts[i] += times.bucket(i);
      total_us += times.sum();
    });
  }
  uint64_t within = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    within += counts[i];
    const bool last = i == TimesUs::kBounds.size();
    rows.emplace_back(last ? fmt::format("{}_timed", name)
                           : fmt::format("{}_within_{}us", name, TimesUs::kBounds[i]),
                      std::to_string(within));
  }
  rows.emplace_back(fmt::format("{}_time_us", name), std::to_string(total_us));
}

}  // namespace

NamedValues statistics(const Process& process, const engine::PolicyTable& policies) {
  NamedValues rows = {
      {"version", std::string(kProgramVersion)},
      {"uptime_s", std::to_string(uptime_s(process))},
      {"workers", std::to_string(process.workers_count)},
      {"backend", std::string(net::to_string(process.machine.backend()))},
      {"clients", std::to_string(clients(process))},
      {"memory_max", std::to_string(process.server.memory_bytes)},
  };
  for (const WorkerFigure& figure : worker_figures()) {
    if (figure.name.empty()) continue;
    rows.emplace_back(figure.name, std::to_string(sum(process, figure)));
  }
  for (size_t i = 0; i < engine::kSources; ++i) {
    const auto source = static_cast<engine::Source>(i);
    uint64_t total = 0;
    for (const auto& counters : process.counters) {
      total += counters->decisions.sum(true, source) + counters->decisions.sum(false, source);
    }
    rows.emplace_back(fmt::format("source_{}", to_string(source)), std::to_string(total));
  }
  add_times(
      process, "checks",
      [](const WorkerCounters& counters, auto&& take) {
        for (const TimesUs& times : counters.check_times) take(times);
      },
      rows);
  if (process.redis.enabled) {
    add_times(
        process, "redis",
        [](const WorkerCounters& counters, auto&& take) {
          take(counters.store_calls.answered);
          take(counters.costs_calls.answered);
        },
        rows);
  }
  add_workers(process, rows);
  add_policies(process, policies, rows);
  if (process.log != nullptr) {
    rows.emplace_back("log_lines_dropped", std::to_string(process.log->dropped()));
  }
  if (process.herald != nullptr) {
    rows.emplace_back("audit_records", std::to_string(process.herald->records()));
    rows.emplace_back("audit_skipped", std::to_string(process.herald->skipped()));
    rows.emplace_back("audit_lost", std::to_string(process.herald->lost()));
    rows.emplace_back("audit_errors", std::to_string(process.herald->errors()));
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

std::vector<std::array<std::string, 3>> hot_rows(const Process& process,
                                                 const engine::PolicyTable& policies, size_t most) {
  std::vector<const engine::HotKeys*> sketches;
  for (const auto& counters : process.counters) sketches.push_back(&counters->hot_keys);
  const auto names = policies.policies();  // of removed ones too
  std::vector<std::array<std::string, 3>> rows;
  for (const engine::HotKey& hot : engine::hottest(sketches, most)) {
    if (hot.policy != engine::kThrottlePolicy && hot.policy >= names.size()) continue;
    rows.push_back({hot.policy == engine::kThrottlePolicy ? std::string(kThrottleLabel)
                                                          : names[hot.policy].spec.name,
                    fmt::format("{:012x}", hot.hash), fmt::format("{:.4f}", hot.share)});
  }
  return rows;
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
