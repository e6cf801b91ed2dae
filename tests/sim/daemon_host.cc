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

// What a turn of the journal takes: of its disk, that is.
constexpr int64_t kDiskLeastNs = 50 * kNsPerUs;
constexpr int64_t kDiskMostNs = 20 * kNsPerMs;
constexpr int64_t kDiesWithinNs = 30 * kNsPerMs;

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
      machine_(scheduler, random_.fork(), settings_.epoch_us, settings_.drift_ppm,
               [this] {
                 const uint32_t core = static_cast<uint32_t>(
                     std::count_if(cores_.begin(), cores_.end(),
                                   [](const Core& each) { return each.loop != nullptr; }));
                 auto loop = std::make_unique<SimLoop>(network_, settings_.place, random_.fork(),
                                                       [this, core] { wake(core); });
                 cores_[core].loop = loop.get();
                 return loop;
               }),
      journal_(*this, kJournalCore, settings_.disk_seed),
      spill_(*this, kSpillCore, settings_.spill_seed) {
  redis_ = daemon::StoreDirectory::first_address(settings_.settings.redis);
}

DaemonHost::~DaemonHost() {
  if (running()) crash();
}

bool DaemonHost::start() {
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
  if ((settings_.settings.costs.enabled && !open_treasury()) ||
      (settings_.settings.logs.enabled && !open_spill())) {
    journal_.keeper = nullptr;
    treasury_.reset();
    process_.reset();
    directory_.reset();
    return false;
  }
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
  return true;
}

bool DaemonHost::open_treasury() {
  // Simulated machines are copies of one another: else a copied directory would be noticed at once.
  auto treasury = daemon::Treasury::open(*process_, settings_.settings.costs, journal_.disk.mount(),
                                         "machine", settings_.journal);
  if (!opened(journal_, treasury ? std::string() : treasury.error())) return false;
  treasury_ = std::move(*treasury);
  process_->treasury = treasury_.get();
  tokens_[life_] = treasury_->token();
  begin(journal_, treasury_->keeper(), treasury_->desk());
  return true;
}

bool DaemonHost::open_spill() {
  auto spill = daemon::LogSpill::open(*process_, spill_.disk.mount(), "machine", settings_.spill);
  if (!opened(spill_, spill ? std::string() : spill.error())) return false;
  log_spill_ = std::move(*spill);
  process_->spill = log_spill_.get();
  begin(spill_, log_spill_->keeper(), log_spill_->desk());
  return true;
}

bool DaemonHost::opened(DiskThread& thread, const std::string& error) {
  if (error.empty()) return true;
  history_.tell("{} does not start: {}", settings_.name, error);
  if (thread.disk.power_is_cut()) thread.disk.power_back();
  return false;
}

void DaemonHost::begin(DiskThread& thread, daemon::JournalKeeper& keeper, uint32_t desk) {
  thread.core = {};
  thread.keeper = &keeper;
  thread.desk = desk;
  keeper.open(thread);
  schedule(thread.number, disk_delay_ns(thread));
}

void DaemonHost::crash() {
  if (!winding_up_) history_.tell("{} is killed", settings_.name);
  journal_.disk.kill_process();
  spill_.disk.kill_process();
  end_process();
}

void DaemonHost::cut_power() {
  history_.tell("{} has no power", settings_.name);
  journal_.disk.power_back();
  spill_.disk.power_back();
  end_process();
}

void DaemonHost::end_process() {
  past_sums_ = log_sums();
  ends_ns_.push_back(scheduler_.now_ns());
  network_.crash(settings_.place);
  for (const Core& core : cores_) core.loop->die();
  wind_up();
}

void DaemonHost::die_at(test::MemoryDisk& disk, uint64_t disk_operation, bool by_power) {
  dies_by_power_ = by_power;
  disk.cut_power_at(disk_operation);
  scheduler_.after(kDiesWithinNs, [this, by_power, life = life_] {
    if (!running() || life != life_) return;
    by_power ? cut_power() : crash();
  });
}

DiskFiles DaemonHost::files() const {
  DiskFiles files;
  const test::MemoryDisk& disk = journal_.disk;
  for (const std::string& name : disk.names()) files[name] = disk.contents(name);
  return files;
}

void DaemonHost::replace_files(const DiskFiles& files) {
  assert(!running());
  for (const std::string& name : journal_.disk.names()) journal_.disk.remove(name);
  for (const auto& [name, contents] : files) journal_.disk.put(name, contents);
}

bool DaemonHost::had_token(const std::string& token, uint64_t from_life) const {
  return std::any_of(tokens_.lower_bound(from_life), tokens_.end(),
                     [&](const auto& each) { return each.second == token; });
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
    for (const DiskThread* thread : {&journal_, &spill_}) {
      if (thread->keeper != nullptr) thread->keeper->turn();
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
    (void)treasury_.release();
    (void)log_spill_.release();
    (void)process_.release();
    (void)directory_.release();
  }
  cores_.clear();
  journal_.keeper = spill_.keeper = nullptr;
  treasury_.reset();
  log_spill_.reset();
  process_.reset();
  directory_.reset();
  winding_up_ = false;
}

uint64_t DaemonHost::sum(daemon::Counter WorkerCounters::* counter) const {
  uint64_t total = 0;
  for (const auto& counters : process_->counters) total += ((*counters).*counter).get();
  return total;
}

LogSums DaemonHost::log_sums() const {
  LogSums sums = past_sums_;
  if (log_spill_ == nullptr) return sums;
  sums.pushed += sum(&WorkerCounters::logs_pushed);
  sums.popped += sum(&WorkerCounters::logs_popped);
  sums.returned += sum(&WorkerCounters::logs_returned);
  sums.dropped_by_redis += sum(&WorkerCounters::logs_dropped);
  sums.refused += sum(&WorkerCounters::logs_refused);
  const daemon::JournalFigures& figures = log_spill_->figures();
  sums.dropped_from_disk += figures.dropped.load() - figures.rescued.load();
  return sums;
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

void DaemonHost::move_redis(const std::string& host) {
  settings_.settings.redis.host = host;
  redis_ = daemon::StoreDirectory::first_address(settings_.settings.redis);
  for (const Core& core : cores_) {
    core.worker->post([address = redis_](Worker& self) { self.set_redis(address, ""); });
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
  for (Core* core : {&journal_.core, &spill_.core}) {
    core->stalled_until_ns = std::max(core->stalled_until_ns, scheduler_.now_ns() + for_ns);
  }
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
  if (winding_up_) return;
  if (DiskThread* const thread = thread_at(core); thread != nullptr) {
    if (thread->core.asleep) schedule(core, disk_delay_ns(*thread));
    return;
  }
  if (core >= cores_.size()) return;
  Core& sleeper = cores_[core];
  if (sleeper.worker == nullptr || !sleeper.asleep) return;
  schedule(core, random_.between(kTurnLeastNs, kWakeMostNs));
}

void DaemonHost::schedule(uint32_t core, int64_t delay_ns) {
  Core& stepped = core_at(core);
  const int64_t when_ns = std::max(scheduler_.now_ns() + delay_ns, stepped.stalled_until_ns);
  if (stepped.due && stepped.due_ns <= when_ns) return;
  stepped.due = true;
  stepped.due_ns = when_ns;
  const uint64_t alarm = ++stepped.alarm;
  scheduler_.at(when_ns, [this, core, alarm, life = life_] {
    if (!running() || life != life_ || core_at(core).alarm != alarm) return;
    DiskThread* const thread = thread_at(core);
    thread == nullptr ? step(core) : step(*thread);
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
        if (!running() || life != life_) return;
        for (const DiskThread* thread : {&journal_, &spill_}) {
          if (thread->keeper != nullptr) thread->keeper->finish();
        }
        crash();
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

int64_t DaemonHost::disk_delay_ns(DiskThread& thread) {
  return thread.random.skewed(kDiskLeastNs, kDiskMostNs);
}

void DaemonHost::step(DiskThread& thread) {
  thread.core.due = false;
  if (thread.core.stalled_until_ns > scheduler_.now_ns()) return schedule(thread.number, 0);
  thread.core.asleep = false;
  process_->post.awake(thread.desk);
  const int64_t wait_ns = thread.keeper->turn();
  // Nobody hears what it still said.
  if (thread.disk.power_is_cut()) return dies_by_power_ ? cut_power() : crash();
  if (wait_ns == 0 || !process_->post.may_sleep(thread.desk)) {
    return schedule(thread.number, disk_delay_ns(thread));
  }
  thread.core.asleep = true;
  if (wait_ns > 0) schedule(thread.number, machine_.true_duration_ns(wait_ns));
}

}  // namespace toll::sim
