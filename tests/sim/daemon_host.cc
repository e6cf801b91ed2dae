#include "tests/sim/daemon_host.h"

#include <algorithm>
#include <cassert>
#include <fmt/format.h>
#include <utility>

namespace toll::sim {

using daemon::Worker;
using daemon::WorkerCounters;

namespace {

// What a turn of a worker takes, and a core's waking.
constexpr int64_t kTurnLeastNs = 1 * kNsPerUs;
constexpr int64_t kTurnMostNs = 10 * kNsPerUs;
constexpr int64_t kWakeMostNs = 30 * kNsPerUs;

// A process that cannot be wound up in so many rounds hangs.
constexpr int kWindUpRounds = 20'000;
constexpr int64_t kWindUpLeapNs = 5 * kNsPerMs;

}  // namespace

DaemonHost::DaemonHost(Scheduler& scheduler, Network& network, History& history, Random random,
                       HostSettings settings)
    : scheduler_(scheduler),
      network_(network),
      history_(history),
      random_(random),
      settings_(std::move(settings)),
      machine_(scheduler, random_.fork(), settings_.epoch_us, settings_.drift_ppm, [this] {
        const uint32_t core = static_cast<uint32_t>(std::count_if(
            cores_.begin(), cores_.end(), [](const Core& each) { return each.loop != nullptr; }));
        auto loop = std::make_unique<SimLoop>(network_, settings_.place, random_.fork(),
                                              [this, core] { wake(core); });
        cores_[core].loop = loop.get();
        return loop;
      }) {
  redis_ = daemon::StoreDirectory::first_address(settings_.settings.redis);
}

DaemonHost::~DaemonHost() {
  if (running()) crash();
}

void DaemonHost::start() {
  assert(!running());
  ++life_;
  auto table = engine::PolicyTable::build(settings_.settings.policies, nullptr);
  assert(table.has_value());
  table_ = *table;
  process_ = std::make_unique<daemon::Process>(settings_.settings, settings_.workers, machine_);
  process_->node = fmt::format("{:016x}", machine_.random_bits());
  directory_ = std::make_unique<daemon::StoreDirectory>(settings_.settings.redis);
  process_->directory = directory_.get();
  process_->redis_address = redis_;
  cores_ = std::vector<Core>(settings_.workers);
  for (uint32_t i = 0; i < settings_.workers; ++i) {
    cores_[i].worker = std::make_unique<Worker>(*process_, i);
    process_->workers.push_back(cores_[i].worker.get());
  }
  for (Core& core : cores_) {
    [[maybe_unused]] const auto opened = core.worker->open(table_);
    assert(opened.has_value());
  }
  cores_[0].worker->listen(cores_[0].loop->listen(settings_.address));
  for (uint32_t i = 0; i < settings_.workers; ++i) {
    cores_[i].worker->start();
    schedule(i, random_.between(0, kWakeMostNs));
  }
  history_.tell("{} starts, life {}", settings_.name, life_);
}

void DaemonHost::crash() {
  if (!winding_up_) history_.tell("{} is killed", settings_.name);
  network_.crash(settings_.place);
  for (const Core& core : cores_) core.loop->die();
  wind_up();
}

void DaemonHost::shut_down() {
  history_.tell("{} shuts down", settings_.name);
  for (const Core& core : cores_) core.worker->post([](Worker& self) { self.drain(); });
  const uint64_t life = life_;
  scheduler_.after(20 * kNsPerMs, [this, life] {
    if (!running() || life != life_) return;
    for (const Core& core : cores_) core.worker->post([](Worker& self) { self.stop(); });
    // The goodbye takes what it takes; then whatever is left is cut off.
    scheduler_.after(kNsPerS, [this, life] {
      if (running() && life == life_) crash();
    });
  });
}

// Frees the process by its own ways to an end, outside of simulated time: nothing that it still
// does is heard by anybody.
void DaemonHost::wind_up() {
  winding_up_ = true;
  for (const Core& core : cores_) {
    core.worker->post([](Worker& self) {
      self.drain();
      self.abort_sessions();
    });
  }
  bool stopping = false;
  for (int round = 0; round < kWindUpRounds; ++round) {
    bool ended = true;
    for (const Core& core : cores_) {
      if (core.worker->ended()) continue;
      ended = false;
      core.worker->turn();
      core.worker->wait(0);
    }
    if (ended) break;
    machine_.leap(kWindUpLeapNs);
    const bool alone = sum(&WorkerCounters::connections_closed) ==
                       cores_[0].worker->counters().connections_handed.get();
    if (alone && !stopping) {
      stopping = true;
      for (const Core& core : cores_) core.worker->post([](Worker& self) { self.stop(); });
    }
  }
  const bool all_ended = std::all_of(cores_.begin(), cores_.end(),
                                     [](const Core& core) { return core.worker->ended(); });
  if (!all_ended) {
    history_.violation("{} cannot end: {} of {} connections closed", settings_.name,
                       sum(&WorkerCounters::connections_closed),
                       cores_[0].worker->counters().connections_handed.get());
    // Its parts may not be taken down while operations are in flight.
    for (Core& core : cores_) (void)core.worker.release();
    (void)process_.release();
    (void)directory_.release();
  }
  cores_.clear();
  process_.reset();
  directory_.reset();
  winding_up_ = false;
}

uint64_t DaemonHost::sum(daemon::Counter WorkerCounters::* counter) const {
  uint64_t total = 0;
  for (const auto& counters : process_->counters) total += ((*counters).*counter).get();
  return total;
}

void DaemonHost::reload(const std::vector<engine::PolicySpec>& policies) {
  auto table = engine::PolicyTable::build(policies, table_.get());
  assert(table.has_value());
  table_ = *table;
  settings_.settings.policies = policies;
  for (const Core& core : cores_) {
    core.worker->post([adopted = table_](Worker& self) { self.adopt(adopted); });
  }
}

void DaemonHost::move_redis(const net::RedisAddress& address) {
  redis_ = address;
  for (const Core& core : cores_) {
    core.worker->post([address](Worker& self) { self.set_redis(address, ""); });
  }
}

// ---- time passes ----

void DaemonHost::stall(uint32_t worker, int64_t for_ns) {
  if (!running()) return;
  Core& core = cores_[worker % cores_.size()];
  core.stalled_until_ns = std::max(core.stalled_until_ns, scheduler_.now_ns() + for_ns);
  stalls_.push_back({scheduler_.now_ns(), core.stalled_until_ns});
}

void DaemonHost::stall(int64_t for_ns) {
  for (uint32_t i = 0; i < cores_.size(); ++i) stall(i, for_ns);
}

int64_t DaemonHost::stalled_since_ns(int64_t when_ns) const {
  int64_t total = 0;
  for (const Stall& stall : stalls_) {
    total += std::max<int64_t>(
        0, std::min(stall.until_ns, scheduler_.now_ns()) - std::max(stall.from_ns, when_ns));
  }
  return total;
}

// There is something for a core's loop, or its doorbell rang.
void DaemonHost::wake(uint32_t core) {
  if (winding_up_ || core >= cores_.size()) return;
  Core& sleeper = cores_[core];
  if (sleeper.worker == nullptr || !sleeper.asleep) return;
  schedule(core, random_.between(kTurnLeastNs, kWakeMostNs));
}

void DaemonHost::schedule(uint32_t core, int64_t delay_ns) {
  Core& stepped = cores_[core];
  const int64_t when_ns = std::max(scheduler_.now_ns() + delay_ns, stepped.stalled_until_ns);
  if (stepped.due && stepped.due_ns <= when_ns) return;
  stepped.due = true;
  stepped.due_ns = when_ns;
  const uint64_t alarm = ++stepped.alarm;
  scheduler_.at(when_ns, [this, core, alarm, life = life_] {
    if (!running() || life != life_ || cores_[core].alarm != alarm) return;
    step(core);
  });
}

void DaemonHost::step(uint32_t core) {
  Core& stepped = cores_[core];
  stepped.due = false;
  if (stepped.stalled_until_ns > scheduler_.now_ns()) return schedule(core, 0);
  Worker& worker = *stepped.worker;
  if (stepped.asleep) worker.wait(0);
  stepped.asleep = false;
  const auto timeout_ns = worker.turn();
  if (worker.ended()) {
    const bool all_ended = std::all_of(cores_.begin(), cores_.end(),
                                       [](const Core& each) { return each.worker->ended(); });
    // Not from in here: this core is one of those that go.
    if (all_ended) {
      scheduler_.after(0, [this, life = life_] {
        if (running() && life == life_) crash();
      });
    }
    return;
  }
  const int64_t turn_ns = random_.skewed(kTurnLeastNs, kTurnMostNs);
  if (!timeout_ns) return schedule(core, turn_ns);
  stepped.asleep = true;
  if (*timeout_ns == 0 || stepped.loop->has_work()) return schedule(core, turn_ns);
  if (*timeout_ns > 0) schedule(core, turn_ns + machine_.true_duration_ns(*timeout_ns));
}

}  // namespace toll::sim
