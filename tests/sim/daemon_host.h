// A simulated host with the daemon on it: the real workers, with all they own, stepped one at a
// time on simulated cores, and the threads of the journal and of the spill of log records on one
// more each. The process can be killed and started again at any step; its machine stays, and so do
// its disks.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/settings.h"
#include "daemon/log_spill.h"
#include "daemon/process.h"
#include "daemon/store_directory.h"
#include "daemon/treasury.h"
#include "daemon/worker.h"
#include "engine/policy.h"
#include "net/redis_address.h"
#include "tests/sim/history.h"
#include "tests/sim/network.h"
#include "tests/sim/random.h"
#include "tests/sim/scheduler.h"
#include "tests/sim/sim_loop.h"
#include "tests/sim/sim_machine.h"
#include "tests/unit/memory_files.h"

namespace toll::sim {

struct HostSettings {
  int place = 0;
  std::string name;     // in the history
  std::string address;  // where clients find it
  uint32_t workers = 1;
  int64_t epoch_us = 0;
  int64_t drift_ppm = 0;
  config::Settings settings;
  daemon::Journal::Settings journal;  // the sizes of its segments
  uint64_t disk_seed = 0;
  daemon::Journal::Settings spill;  // likewise
  uint64_t spill_seed = 0;
};

// What a host's daemon said of log records, all its lives together.
struct LogSums {
  uint64_t pushed = 0;
  uint64_t popped = 0;
  uint64_t returned = 0;
  uint64_t dropped_by_redis = 0;  // where the queue was too long or was cleared
  uint64_t dropped_from_disk = 0;
  uint64_t refused = 0;  // neither Redis nor the disk took them
};

// All files of a journal's directory.
using DiskFiles = std::map<std::string, std::string>;

class DaemonHost {
 public:
  DaemonHost(Scheduler& scheduler, Network& network, History& history, Random random,
             HostSettings settings);
  ~DaemonHost();

  // False: the disk did not let it.
  bool start();
  void crash();      // as kill -9: what it wrote is on the disk
  void cut_power();  // what it had not synced may be gone, in part
  void shut_down();  // as SIGTERM, but that clients have less time to leave
  // One of the two befalls it in the midst of what it does with that disk, or soon.
  void die_at(test::MemoryDisk& disk, uint64_t disk_operation, bool by_power);
  bool running() const { return process_ != nullptr; }
  // How often it was started. What a process said counts for its own life only.
  uint64_t life() const { return life_; }

  // From now on it decides by these policies.
  void reload(const std::vector<engine::PolicySpec>& policies);
  // Redis is to be found there, an IPv4 address, from now on.
  void move_redis(const std::string& host);

  // That core does nothing for so long. Returns until when.
  void stall(uint32_t worker, int64_t for_ns);
  // All of it does nothing, as in SIGSTOP.
  void stall(int64_t for_ns);
  SimMachine& machine() { return machine_; }

  // The directory of the journal, and that of the spill of log records.
  test::MemoryDisk& disk() { return journal_.disk; }
  test::MemoryDisk& spill_disk() { return spill_.disk; }
  // What its keys take, of all workers. REQUIRES: running().
  uint64_t key_bytes() const { return sum(&daemon::WorkerCounters::key_bytes); }
  // Those of the journal.
  DiskFiles files() const;
  // REQUIRES: !running().
  void replace_files(const DiskFiles& files);
  // Those by which Redis knows whose an epoch is, of all its processes from that life on.
  bool had_token(const std::string& token, uint64_t from_life) const;

  const HostSettings& settings() const { return settings_; }
  // REQUIRES: running().
  const daemon::Process& process() const { return *process_; }
  LogSums log_sums() const;
  // When its processes ended.
  const std::vector<int64_t>& ends_ns() const { return ends_ns_; }
  // How long its cores have stood still since that time, at most.
  int64_t stalled_since_ns(int64_t when_ns) const;

 private:
  struct Core {
    std::unique_ptr<daemon::Worker> worker;
    SimLoop* loop = nullptr;
    bool asleep = false;
    bool due = false;  // a step is scheduled, and no earlier one is wanted
    int64_t due_ns = 0;
    uint64_t alarm = 0;  // the number of its last sleep
    int64_t stalled_until_ns = 0;
  };

  // Numbers of cores, beside those of the workers.
  static constexpr uint32_t kJournalCore = UINT32_MAX;
  static constexpr uint32_t kSpillCore = UINT32_MAX - 1;

  // A thread that works on a disk.
  struct DiskThread final : net::Doorbell {
    DiskThread(DaemonHost& owner, uint32_t core_number, uint64_t seed)
        : host(owner), number(core_number), disk(seed), random(seed + 1) {}
    void ring() noexcept override { host.wake(number); }

    DaemonHost& host;
    const uint32_t number;
    test::MemoryDisk disk;
    Random random;
    Core core;
    daemon::JournalKeeper* keeper = nullptr;  // null: there is none now
    uint32_t desk = 0;
  };

  bool open_treasury();
  bool open_spill();
  bool opened(DiskThread& thread, const std::string& error);
  void begin(DiskThread& thread, daemon::JournalKeeper& keeper, uint32_t desk);
  void end_process();
  static int64_t disk_delay_ns(DiskThread& thread);
  void step(DiskThread& thread);
  // Null: a worker's.
  DiskThread* thread_at(uint32_t core) {
    return core == kJournalCore ? &journal_ : core == kSpillCore ? &spill_ : nullptr;
  }
  Core& core_at(uint32_t core) {
    DiskThread* const thread = thread_at(core);
    return thread == nullptr ? cores_[core] : thread->core;
  }
  void wake(uint32_t core);
  void schedule(uint32_t core, int64_t delay_ns);
  void step(uint32_t core);
  void wind_up();
  uint64_t sum(daemon::Counter daemon::WorkerCounters::* counter) const;

  Scheduler& scheduler_;
  Network& network_;
  History& history_;
  Random random_;
  HostSettings settings_;
  SimMachine machine_;
  net::RedisAddress redis_;
  std::shared_ptr<const engine::PolicyTable> table_;
  std::unique_ptr<daemon::StoreDirectory> directory_;
  std::unique_ptr<daemon::Process> process_;
  DiskThread journal_;
  DiskThread spill_;
  bool dies_by_power_ = false;
  std::unique_ptr<daemon::Treasury> treasury_;
  std::unique_ptr<daemon::LogSpill> log_spill_;
  LogSums past_sums_;  // of lives that ended
  std::vector<int64_t> ends_ns_;
  std::map<uint64_t, std::string> tokens_;  // by life
  std::vector<Core> cores_;
  uint64_t life_ = 0;
  bool winding_up_ = false;
  struct Stall {
    int64_t from_ns;
    int64_t until_ns;
  };
  std::vector<Stall> stalls_;
};

}  // namespace toll::sim
