#include "daemon/metrics.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <prometheus/text_serializer.h>
#include <sstream>
#include <string_view>
#include <sys/resource.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "daemon/herald.h"
#include "daemon/log_spill.h"
#include "daemon/report.h"
#include "daemon/treasury.h"
#include "daemon/version.h"
#include "daemon/worker_figures.h"

namespace toll::daemon {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

// Division by them is exact to the last digit, where multiplication is not: bounds are to be read.
constexpr double kUsPerSecond = 1e6;
constexpr double kNsPerSecond = 1e9;

using Labels = std::vector<ClientMetric::Label>;

ClientMetric::Label label(std::string_view name, std::string_view value) {
  return {std::string(name), std::string(value)};
}

// The families as they are gathered.
class Page {
 public:
  // Adds a series to the family of that name, which is made where it is new. A name that ends in
  // _total is a counter's.
  void add(std::string_view name, std::string_view help, double value, Labels labels = {}) {
    const bool counts = name.ends_with("_total");
    MetricFamily& family = of(name, help, counts ? MetricType::Counter : MetricType::Gauge);
    ClientMetric& metric = family.metric.emplace_back();
    metric.label = std::move(labels);
    (counts ? metric.counter.value : metric.gauge.value) = value;
  }

  // The sum of what `part` finds in each worker's counters, `parts` of which are one of the
  // metric's unit.
  template <class Part>
  void add_histogram(std::string_view name, std::string_view help, const Process& process,
                     Part part, double parts, Labels labels = {}) {
    using Kind = std::remove_cvref_t<decltype(part(std::declval<const WorkerCounters&>()))>;
    ClientMetric& metric = of(name, help, MetricType::Histogram).metric.emplace_back();
    metric.label = std::move(labels);
    uint64_t count = 0;
    for (size_t i = 0; i < Kind::kBuckets; ++i) {
      for (const auto& counters : process.counters) count += part(*counters).bucket(i);
      const bool last = i == Kind::kBounds.size();
      metric.histogram.bucket.push_back(
          {count, last ? std::numeric_limits<double>::infinity()
                       : static_cast<double>(Kind::kBounds[i]) / parts});
    }
    metric.histogram.sample_count = count;
    uint64_t sum = 0;
    for (const auto& counters : process.counters) sum += part(*counters).sum();
    metric.histogram.sample_sum = static_cast<double>(sum) / parts;
  }

  // 1 for the state that is, 0 for the others.
  void add_states(std::string_view name, std::string_view help, std::string_view current,
                  std::initializer_list<std::string_view> states) {
    for (const std::string_view state : states) {
      add(name, help, state == current ? 1 : 0, {label("state", state)});
    }
  }

  std::vector<MetricFamily> take() { return std::move(families_); }

 private:
  MetricFamily& of(std::string_view name, std::string_view help, MetricType type) {
    const auto found = std::ranges::find(families_, name, &MetricFamily::name);
    if (found != families_.end()) return *found;
    return families_.emplace_back(MetricFamily{std::string(name), std::string(help), type, {}});
  }

  std::vector<MetricFamily> families_;
};

double number(uint64_t value) {
  return static_cast<double>(value);
}

// ---- checks ----

void add_decisions(Page& page, const Process& process, uint16_t policy, std::string_view name) {
  for (const bool admitted : {true, false}) {
    for (size_t source = 0; source < engine::kSources; ++source) {
      uint64_t count = 0;
      for (const auto& counters : process.counters) {
        const DecisionCounters* row = counters->decisions.find(policy);
        if (row != nullptr) count += (admitted ? row->admitted : row->refused)[source].get();
      }
      page.add("tollkeeper_checks_total", "Decisions on limits, by policy, result and who decided.",
               number(count),
               {label("policy", name), label("result", admitted ? "allow" : "deny"),
                label("source", to_string(static_cast<engine::Source>(source)))});
    }
  }
}

void add_checks(Page& page, const Process& process, const engine::PolicyTable& policies) {
  for (const engine::Policy& policy : policies.policies()) {
    if (policy.active) add_decisions(page, process, policy.id, policy.spec.name);
  }
  add_decisions(page, process, engine::kThrottlePolicy, kThrottleLabel);
  for (size_t i = 0; i < engine::kSources; ++i) {
    page.add_histogram("tollkeeper_check_duration_seconds",
                       "From reading a check to writing its decision, by who decided.", process,
                       [i](const WorkerCounters& c) -> const TimesUs& { return c.check_times[i]; },
                       kUsPerSecond, {label("source", to_string(static_cast<engine::Source>(i)))});
  }
}

// ---- Redis ----

void add_calls(Page& page, const Process& process, std::string_view purpose,
               CallCounters WorkerCounters::* calls) {
  const auto total = [&](auto&& part) {
    uint64_t sum = 0;
    for (const auto& counters : process.counters) sum += part((*counters).*calls).get();
    return number(sum);
  };
  const std::string_view errors = "tollkeeper_redis_errors_total";
  const std::string_view errors_help = "Errors that Redis answered, and answers that are none.";
  for (size_t i = 0; i < net::kRedisErrorKinds; ++i) {
    page.add(
        errors, errors_help,
        total([i](const CallCounters& c) -> const Counter& { return c.errors[i]; }),
        {label("purpose", purpose), label("kind", to_string(static_cast<net::RedisErrorKind>(i)))});
  }
  page.add(errors, errors_help,
           total([](const CallCounters& c) -> const Counter& { return c.malformed; }),
           {label("purpose", purpose), label("kind", "malformed")});
  for (size_t i = 0; i < net::kCallLosses; ++i) {
    page.add(
        "tollkeeper_redis_calls_lost_total", "Calls to Redis that got no answer.",
        total([i](const CallCounters& c) -> const Counter& { return c.lost[i]; }),
        {label("purpose", purpose), label("reason", to_string(static_cast<net::CallLoss>(i)))});
  }
  page.add_histogram(
      "tollkeeper_redis_call_duration_seconds", "How long answered calls to Redis took.", process,
      [calls](const WorkerCounters& c) -> const TimesUs& { return (c.*calls).answered; },
      kUsPerSecond, {label("purpose", purpose)});
}

void add_redis(Page& page, const Process& process) {
  const StoreHealth store = store_health(process);
  page.add("tollkeeper_redis_configured", "Whether a Redis is configured.",
           process.redis.enabled ? 1 : 0);
  page.add("tollkeeper_redis_connected", "Whether every worker is connected to Redis.",
           process.redis.enabled && store.connected ? 1 : 0);
  page.add_states("tollkeeper_redis_breaker_state",
                  "The state of the breakers before Redis, of all workers together.",
                  to_string(store.breaker),
                  {to_string(engine::BreakerState::kClosed), to_string(engine::BreakerState::kOpen),
                   to_string(engine::BreakerState::kHalfOpen)});
  page.add("tollkeeper_hosts", "Daemons alive that share the limits, this one included.",
           static_cast<double>(process.hosts.load()));
  add_calls(page, process, "limits", &WorkerCounters::store_calls);
  add_calls(page, process, "costs", &WorkerCounters::costs_calls);
  page.add_histogram(
      "tollkeeper_redis_batch_requests", "Requests about limits in each call to Redis.", process,
      [](const WorkerCounters& c) -> const Sizes& { return c.store_batches; }, 1);
}

// ---- costs ----

double oldest_unapplied_s(const Process& process) {
  uint64_t oldest_us = 0;
  for (const auto& counters : process.counters) {
    const uint64_t each_us = counters->costs_oldest_us.get();
    if (each_us != 0 && (oldest_us == 0 || each_us < oldest_us)) oldest_us = each_us;
  }
  return number(oldest_us) / kUsPerSecond;
}

void add_costs(Page& page, const Process& process) {
  static const JournalFigures kNone;
  const Treasury* treasury = process.treasury;
  const JournalFigures& journal = treasury == nullptr ? kNone : treasury->journal();
  page.add("tollkeeper_costs_configured", "Whether costs are switched on.",
           treasury == nullptr ? 0 : 1);
  for (const size_t by_redis : {0, 1}) {
    page.add_histogram(
        "tollkeeper_cost_duration_seconds",
        "From reading a request about costs to writing its reply, by who knew.", process,
        [by_redis](const WorkerCounters& c) -> const TimesUs& { return c.cost_times[by_redis]; },
        kUsPerSecond, {label("source", by_redis == 1 ? "redis" : "journal")});
  }
  page.add("tollkeeper_costs_fenced",
           "Whether another daemon charges under this one's name, so that costs are refused.",
           any(process, &WorkerCounters::costs_fenced) ? 1 : 0);
  page.add("tollkeeper_costs_unsafe_eviction",
           "Whether costs are refused because Redis may evict any key.",
           any(process, &WorkerCounters::costs_unsafe) ? 1 : 0);
  page.add_states("tollkeeper_journal_state", "Whether the journal takes charges.",
                  to_string(journal.state.load()),
                  {to_string(JournalState::kReady), to_string(JournalState::kFull),
                   to_string(JournalState::kFailed)});
  const bool spills = process.spill != nullptr;
  page.add("tollkeeper_log_records_dropped_total",
           "Log records that went because the queue or the disk was full, or by LOG CLEAR.",
           number(logs_dropped(process)));
  page.add("tollkeeper_log_records_on_disk", "Log records that wait on this host's disk for Redis.",
           number(spills ? logs_in_spill(process) : 0));
  page.add("tollkeeper_spill_bytes", "What they take there.",
           number(spills ? process.spill->figures().bytes.load() : 0));
  page.add("tollkeeper_journal_bytes", "What the journal takes on the disk.",
           number(journal.bytes.load()));
  page.add("tollkeeper_journal_limit_bytes", "What it may take: costs.journal_max.",
           treasury == nullptr ? 0 : static_cast<double>(treasury->settings().journal_max_bytes));
  page.add("tollkeeper_journal_oldest_unapplied_timestamp_seconds",
           "When the oldest charge was taken that Redis may not have yet; 0 if it has all.",
           oldest_unapplied_s(process));
  page.add("tollkeeper_journal_commits_total", "Commits of the journal, each with one sync.",
           number(journal.commits.load()));
  page.add("tollkeeper_journal_frames_total", "Frames that were made durable.",
           number(journal.frames.load()));
  page.add("tollkeeper_journal_written_bytes_total", "Bytes that were made durable.",
           number(journal.written.load()));
  page.add("tollkeeper_journal_failures_total", "Commits that failed; their charges were refused.",
           number(journal.failures.load()));
}

void add_audit(Page& page, const Herald* herald) {
  page.add("tollkeeper_audit_configured", "Whether an audit log is kept.",
           herald != nullptr && herald->audits() ? 1 : 0);
  page.add("tollkeeper_audit_records_total", "Records of the audit log that were written.",
           number(herald == nullptr ? 0 : herald->records()));
  page.add("tollkeeper_audit_records_skipped_total",
           "Refusals past audit.refusals_per_second, which the audit log counts only.",
           number(herald == nullptr ? 0 : herald->skipped()));
  page.add("tollkeeper_audit_records_lost_total",
           "Records that are missing in the audit log: they were too many, or the disk failed.",
           number(herald == nullptr ? 0 : herald->lost()));
  page.add("tollkeeper_audit_errors_total", "Errors of the audit log's disk.",
           number(herald == nullptr ? 0 : herald->errors()));
}

// ---- the process ----

void add_reloads(Page& page, const ReloadCounters& reloads) {
  page.add("tollkeeper_config_last_reload_successful",
           "Whether the last reading of the configuration is in force.",
           number(reloads.good.get()));
  page.add("tollkeeper_config_last_reload_success_timestamp_seconds",
           "When the configuration in force was read.",
           number(reloads.loaded_us.get()) / kUsPerSecond);
  page.add("tollkeeper_config_reloads_total", "Reloads of the configuration.",
           number(reloads.done.get()), {label("result", "done")});
  page.add("tollkeeper_config_reloads_total", "", number(reloads.refused.get()),
           {label("result", "refused")});
}

// As Prometheus' own libraries name these.
void add_system(Page& page, const Process& process) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / kUsPerSecond;
  };
  page.add("process_cpu_seconds_total", "CPU time of this process, in user mode and the kernel.",
           seconds(usage.ru_utime) + seconds(usage.ru_stime));
  uint64_t pages = 0;
  uint64_t resident_pages = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident_pages;
  page.add("process_resident_memory_bytes", "Memory of this process that is in RAM.",
           number(resident_pages) * static_cast<double>(sysconf(_SC_PAGESIZE)));
  std::error_code error;
  const auto open = std::distance(std::filesystem::directory_iterator("/proc/self/fd", error), {});
  page.add("process_open_fds", "Descriptors that are open.", static_cast<double>(open));
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  page.add("process_max_fds", "Descriptors that may be open.", number(limit.rlim_cur));
  page.add("process_start_time_seconds", "When this process was started.",
           static_cast<double>(process.started_us) / kUsPerSecond);
}

void add_daemon(Page& page, const Process& process) {
  page.add("tollkeeper_build_info", "Which build this is; always 1.", 1,
           {label("version", kProgramVersion), label("compiler", __VERSION__),
            label("backend", net::to_string(process.machine.backend()))});
  page.add_states("tollkeeper_state",
                  "What HEALTH says. Degraded: it answers, without Redis or costs.",
                  health_state(process), {"starting", "ready", "degraded", "draining"});
  page.add("tollkeeper_workers", "Workers.", process.workers_count);
  page.add("tollkeeper_clients", "Connected clients.", number(clients(process)));
  page.add("tollkeeper_clients_limit", "How many there may be: server.max_clients.",
           process.server.max_clients);
  page.add("tollkeeper_key_limit_bytes", "What keys may take of memory: server.memory.",
           number(process.server.memory_bytes));
  page.add("tollkeeper_loop_stuck_seconds",
           "How long the longest turn of a worker has lasted that is not over.",
           static_cast<double>(longest_turn_ns(process)) / kNsPerSecond);
}

}  // namespace

std::vector<MetricFamily> metric_families(const Process& process,
                                          const engine::PolicyTable& policies) {
  Page page;
  add_daemon(page, process);
  add_checks(page, process, policies);
  for (const WorkerFigure& figure : worker_figures()) {
    if (figure.metric.empty()) continue;
    Labels labels;
    if (!figure.label.empty()) labels = {label(figure.label, figure.value)};
    page.add(figure.metric, figure.help, number(sum(process, figure)) / figure.parts,
             std::move(labels));
  }
  add_redis(page, process);
  add_costs(page, process);
  add_audit(page, process.herald);
  add_reloads(page, process.reloads);
  add_system(page, process);
  return page.take();
}

std::string metrics_text(const Process& process, const engine::PolicyTable& policies) {
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, metric_families(process, policies));
  return std::move(out).str();
}

}  // namespace toll::daemon
