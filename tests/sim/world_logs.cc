// Log records in a run: who pushes and takes them, where they lie, and that none is left in the
// end.
#include <utility>

#include "tests/sim/world.h"

namespace toll::sim {
namespace {

constexpr int64_t kTakeNs = 20 * kNsPerMs;  // between two requests for what is left
constexpr int64_t kTakenNs = 30 * kNsPerS;  // within which all of it comes
constexpr int64_t kTakeCount = 1'000;

}  // namespace

void World::shape_logs(HostSettings& host) {
  host.settings.logs = log_load_.settings();
  host.spill = log_load_.shape();
  host.spill_seed = log_random_.next();
}

void World::add_log_clients() {
  if (!log_load_.on()) return;
  const int64_t pause_most_ns = log_random_.between(2, 60) * kNsPerMs;
  const auto add = [&](size_t host, bool produces, size_t depth, int64_t pause_ns) {
    clients_.push_back(make_client(log_random_.fork(), {.host = host,
                                                        .depth = depth,
                                                        .pause_least_ns = pause_ns / 4,
                                                        .pause_most_ns = pause_ns,
                                                        .logs = &log_load_,
                                                        .produces = produces}));
  };
  for (size_t host = 0; host < hosts_.size(); ++host) {
    for (int64_t i = log_random_.between(1, 3); i > 0; --i) {
      add(host, true, static_cast<size_t>(log_random_.skewed(1, 24)), pause_most_ns);
    }
    if (!log_load_.consumed()) continue;
    for (int64_t i = log_random_.between(host == 0 ? 1 : 0, 3); i > 0; --i) {
      const bool pipelines = log_random_.chance(log_load_.pipeline_percent());
      const auto depth = static_cast<size_t>(pipelines ? log_random_.between(2, 24) : 1);
      add(host, false, depth, pause_most_ns * log_load_.consumer_slowness());
    }
  }
}

// What befalls records on their way shows where calls get no reply.
void World::bend_to_logs() {
  if (!log_load_.alone()) return;
  fault_pause_ns_ = std::max(fault_pause_ns_, 20 * kNsPerMs);
  for (const Fault fault : {Fault::kBreakLinks, Fault::kBadWeather, Fault::kKillDaemon}) {
    if (log_random_.chance(50)) possible_.insert(possible_.end(), 2, fault);
  }
}

// Where there are two, one of them.
test::MemoryDisk& World::any_disk(DaemonHost& host) {
  if (!log_load_.on()) return host.disk();
  return cost_load_.on() && log_random_.chance(50) ? host.disk() : host.spill_disk();
}

// Until Redis has none, nor has any daemon that may still bring some.
void World::take_all_records() {
  if (!log_load_.on()) return;
  const int64_t until_ns = scheduler_.now_ns() + kTakenNs;
  bool empty = false;
  while (!empty && scheduler_.now_ns() < until_ns && !history_.violated()) {
    const Wish wish{.ask = Ask::kLogPop, .parts = {}, .log = {.record = {}, .count = kTakeCount}};
    // One after the other: what waits behind a thousand records is not late.
    if (!judges_[0]->waiting()) {
      judges_[0]->ask(wish, [&](const Told& reply) {
        empty = reply.word != Word::kError && reply.rows.empty();
      });
    }
    run_until(scheduler_.now_ns() + kTakeNs);
  }
  if (!empty) history_.violation("liveness: there are always more log records");
}

}  // namespace toll::sim
