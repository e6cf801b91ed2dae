// A simulated host with the daemon on it: the real workers, with all they own, stepped one at a
// time on simulated cores. The process can be killed and started again at any step; its machine
// stays.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "config/settings.h"
#include "daemon/process.h"
#include "daemon/store_directory.h"
#include "daemon/worker.h"
#include "engine/policy.h"
#include "net/redis_address.h"
#include "tests/sim/history.h"
#include "tests/sim/network.h"
#include "tests/sim/random.h"
#include "tests/sim/scheduler.h"
#include "tests/sim/sim_loop.h"
#include "tests/sim/sim_machine.h"

namespace toll::sim {

struct HostSettings {
  int place = 0;
  std::string name;     // in the history
  std::string address;  // where clients find it
  uint32_t workers = 1;
  int64_t epoch_us = 0;
  int64_t drift_ppm = 0;
  config::Settings settings;
};

class DaemonHost {
 public:
  DaemonHost(Scheduler& scheduler, Network& network, History& history, Random random,
             HostSettings settings);
  ~DaemonHost();

  void start();
  void crash();      // as kill -9
  void shut_down();  // as SIGTERM, but that clients have less time to leave
  bool running() const { return process_ != nullptr; }
  // How often it was started. What a process said counts for its own life only.
  uint64_t life() const { return life_; }

  // From now on it decides by these policies.
  void reload(const std::vector<engine::PolicySpec>& policies);
  // Redis is to be found there.
  void move_redis(const net::RedisAddress& address);

  // That core does nothing for so long. Returns until when.
  void stall(uint32_t worker, int64_t for_ns);
  // All of it does nothing, as in SIGSTOP.
  void stall(int64_t for_ns);
  SimMachine& machine() { return machine_; }

  const HostSettings& settings() const { return settings_; }
  // REQUIRES: running().
  const daemon::Process& process() const { return *process_; }
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
