// The families of the metrics page: their names and labels keep Prometheus' rules, and their
// figures are the sums of what the workers counted.
#include "daemon/metrics.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "daemon/metrics_page.h"
#include "daemon/worker_figures.h"
#include "tests/unit/crew.h"

namespace toll::daemon {
namespace {

// tollkeeper_ or process_, then words of small letters and digits with one line between them.
bool is_metric_name(std::string_view name) {
  const bool ours = name.starts_with("tollkeeper_") || name.starts_with("process_");
  return ours && !name.ends_with('_') && name.find("__") == name.npos &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == name.npos;
}

using engine::Source;
using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

class Metrics : public testing::Test {
 protected:
  // The one family of that name.
  MetricFamily family(const std::string& name) {
    for (MetricFamily& each : metric_families(process_, *table_)) {
      if (each.name == name) return each;
    }
    ADD_FAILURE() << "no family " << name;
    return {};
  }
  // The one series of that family that has all these labels.
  ClientMetric series(const std::string& name, const std::map<std::string, std::string>& labels) {
    for (const ClientMetric& each : family(name).metric) {
      const bool same = std::ranges::all_of(labels, [&](const auto& wanted) {
        return std::ranges::find(each.label, ClientMetric::Label{wanted.first, wanted.second}) !=
               each.label.end();
      });
      if (same) return each;
    }
    ADD_FAILURE() << "no such series of " << name;
    return {};
  }
  WorkerCounters& counters(size_t worker) { return *process_.counters[worker]; }

  net::KernelMachine machine_{net::Backend::kEpoll};
  Process process_{config::Settings{}, 2, machine_};
  std::shared_ptr<const engine::PolicyTable> table_ =
      table_of({policy("api", engine::Algorithm::kGcra, 10, 1'000'000),
                policy("login", engine::Algorithm::kGcra, 10, 1'000'000)});
};

TEST_F(Metrics, NamesAndLabelsKeepTheRules) {
  const std::set<std::string> words = {"policy", "result",  "source",  "state",    "reason",
                                       "kind",   "purpose", "version", "compiler", "backend"};
  std::set<std::string> names;
  for (const MetricFamily& family : metric_families(process_, *table_)) {
    EXPECT_TRUE(is_metric_name(family.name)) << family.name;
    EXPECT_TRUE(names.insert(family.name).second) << family.name << " twice";
    EXPECT_EQ(family.type == MetricType::Counter, family.name.ends_with("_total")) << family.name;
    EXPECT_TRUE(family.help.ends_with('.')) << family.name << ": " << family.help;
    std::set<std::vector<ClientMetric::Label>> seen;
    for (const ClientMetric& metric : family.metric) {
      EXPECT_TRUE(seen.insert(metric.label).second) << "a series of " << family.name << " twice";
      for (const auto& label : metric.label) {
        EXPECT_TRUE(words.contains(label.name)) << label.name;
        EXPECT_FALSE(label.value.empty()) << family.name << " " << label.name;
      }
    }
  }
}

TEST_F(Metrics, AFigureHasItsHelpOnceAndAPlaceSomewhere) {
  std::map<std::string_view, int> helped;
  std::set<std::string_view> in_stats;
  for (const WorkerFigure& figure : worker_figures()) {
    EXPECT_FALSE(figure.name.empty() && figure.metric.empty());
    if (!figure.name.empty()) {
      EXPECT_TRUE(in_stats.insert(figure.name).second) << figure.name;
    }
    if (!figure.metric.empty()) helped[figure.metric] += figure.help.empty() ? 0 : 1;
    EXPECT_EQ(figure.label.empty(), figure.value.empty());
  }
  for (const auto& [metric, times] : helped) EXPECT_EQ(times, 1) << metric;
}

TEST_F(Metrics, CountersOfWorkersAreSummed) {
  counters(0).requests.add(3);
  counters(1).requests.add(4);
  EXPECT_EQ(series("tollkeeper_requests_total", {}).counter.value, 7);
  counters(0).keys.set(5);
  counters(1).keys.set(6);
  EXPECT_EQ(series("tollkeeper_keys", {}).gauge.value, 11);
  counters(1).long_turns_us.add(1'500'000);
  EXPECT_EQ(series("tollkeeper_loop_stall_seconds_total", {}).counter.value, 1.5);
}

TEST_F(Metrics, DecisionsAreOfTheirPolicyResultAndSource) {
  counters(0).decisions.cover(2);  // the other worker has decided nothing yet
  const uint16_t login = table_->find("login")->id;
  counters(0).decisions.add(login, true, Source::kRedis);
  counters(0).decisions.add(login, true, Source::kRedis);
  counters(0).decisions.add(login, false, Source::kCache);
  counters(1).decisions.add(engine::kThrottlePolicy, false, Source::kLocal);
  const auto count = [&](const char* policy, const char* result, const char* source) {
    return series("tollkeeper_checks_total",
                  {{"policy", policy}, {"result", result}, {"source", source}})
        .counter.value;
  };
  EXPECT_EQ(count("login", "allow", "redis"), 2);
  EXPECT_EQ(count("login", "deny", "cache"), 1);
  EXPECT_EQ(count("login", "deny", "redis"), 0);
  EXPECT_EQ(count("api", "allow", "redis"), 0);
  EXPECT_EQ(count("(throttle)", "deny", "local"), 1);
  EXPECT_EQ(family("tollkeeper_checks_total").metric.size(), 3U * 2 * engine::kSources);
  EXPECT_EQ(counters(0).decisions.sum(true), 2U);
  EXPECT_EQ(counters(0).decisions.sum(false, Source::kCache), 1U);
}

TEST_F(Metrics, APolicyThatWasRemovedIsNoLongerThere) {
  const std::vector<engine::PolicySpec> left = {
      policy("login", engine::Algorithm::kGcra, 10, 1'000'000)};
  table_ = *engine::PolicyTable::build(left, table_.get());
  EXPECT_EQ(family("tollkeeper_checks_total").metric.size(), 2U * 2 * engine::kSources);
}

TEST_F(Metrics, BucketsHoldWhatIsAtMostTheirBoundAndRise) {
  for (const uint64_t us : {0, 50, 51, 100, 1'000'000, 1'000'001}) {
    counters(us % 2).check_times[0].add(us);
  }
  const ClientMetric metric = series("tollkeeper_check_duration_seconds", {{"source", "redis"}});
  const auto& buckets = metric.histogram.bucket;
  ASSERT_EQ(buckets.size(), kTimeBoundsUs.size() + 1);
  EXPECT_EQ(buckets[0].upper_bound, 50e-6);
  EXPECT_EQ(buckets[0].cumulative_count, 2U);
  EXPECT_EQ(buckets[1].cumulative_count, 4U);
  EXPECT_EQ(buckets[buckets.size() - 2].upper_bound, 1);
  EXPECT_EQ(buckets[buckets.size() - 2].cumulative_count, 5U);
  EXPECT_TRUE(std::isinf(buckets.back().upper_bound));
  EXPECT_EQ(buckets.back().cumulative_count, 6U);
  EXPECT_EQ(metric.histogram.sample_count, 6U);
  EXPECT_DOUBLE_EQ(metric.histogram.sample_sum, 2.000202);
}

TEST_F(Metrics, TheOldestOfAllWorkersSpeaksForUnappliedCharges) {
  const std::string name = "tollkeeper_journal_oldest_unapplied_timestamp_seconds";
  EXPECT_EQ(series(name, {}).gauge.value, 0);
  counters(1).costs_oldest_us.set(2'500'000);
  EXPECT_EQ(series(name, {}).gauge.value, 2.5) << "0 of the other worker is no time";
  counters(0).costs_oldest_us.set(1'500'000);
  EXPECT_EQ(series(name, {}).gauge.value, 1.5);
}

TEST_F(Metrics, ALoopThatStandsStillIsNotLive) {
  EXPECT_EQ(metrics_page("/livez", process_, *table_).status, 200) << "asleep";
  const auto began = [&](int64_t ago_s) {
    counters(1).turn_since_ns.set(
        static_cast<uint64_t>(machine_.monotonic_ns() - ago_s * 1'000'000'000));
  };
  began(1);
  EXPECT_EQ(metrics_page("/livez", process_, *table_).status, 200);
  EXPECT_GE(series("tollkeeper_loop_stuck_seconds", {}).gauge.value, 1);
  began(20);
  EXPECT_EQ(metrics_page("/livez", process_, *table_).status, 503);
  EXPECT_EQ(metrics_page("/readyz", process_, *table_).status, 200);
}

TEST_F(Metrics, ReadyIsWhoAnswers) {
  process_.starting.store(true);
  const net::HttpReply starting = metrics_page("/readyz", process_, *table_);
  EXPECT_EQ(starting.status, 503);
  EXPECT_TRUE(starting.body.starts_with("starting ")) << starting.body;
  process_.starting.store(false);
  EXPECT_EQ(metrics_page("/readyz", process_, *table_).status, 200);
  process_.draining.store(true);
  EXPECT_EQ(metrics_page("/readyz", process_, *table_).status, 503);
  EXPECT_EQ(metrics_page("/livez", process_, *table_).status, 200);
  EXPECT_EQ(metrics_page("/", process_, *table_).status, 404);
}

}  // namespace
}  // namespace toll::daemon
