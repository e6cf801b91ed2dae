// What all workers of the process share. Made by main before the first worker starts and destroyed
// after the last has ended; read-only while they run, but for what is atomic or says whose it is.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "config/settings.h"
#include "daemon/breaker_board.h"
#include "daemon/happenings.h"
#include "daemon/letter.h"
#include "daemon/limits.h"
#include "daemon/statistics.h"
#include "engine/key_hash.h"
#include "net/clock.h"
#include "net/machine.h"
#include "net/post_office.h"
#include "net/redis_address.h"

namespace toll::daemon {

class Control;
class Herald;
class Log;
class StoreDirectory;
class LogSpill;
class Treasury;
class Worker;

struct Process {
  // `own_machine` outlives the process.
  Process(const config::Settings& loaded, uint32_t worker_count, net::Machine& own_machine)
      : machine(own_machine),
        server(loaded.server),
        redis(loaded.redis),
        logs(loaded.logs),
        workers_count(worker_count),
        hasher({machine.random_bits(), machine.random_bits()}),
        clock(machine),
        post(worker_count + 2, kAsksPerRouteMax),
        breakers(worker_count) {
    for (uint32_t i = 0; i < worker_count; ++i) {
      counters.push_back(std::make_unique<WorkerCounters>());
    }
    for (uint32_t i = 0; i < worker_count + 1; ++i) {
      happenings.push_back(std::make_unique<Happenings>());
    }
  }

  net::Machine& machine;
  const config::ServerSettings server;  // as at start: what of it may change needs a restart
  const config::RedisSettings redis;    // likewise
  const config::LogsSettings logs;      // likewise
  const uint32_t workers_count;
  std::optional<gid_t> admin_group;  // set before the first worker starts
  const engine::KeyHasher hasher;
  net::Clock clock;              // adjusted by worker 0
  net::PostOffice<Letter> post;  // the last desks are the journal's and the spill's
  BreakerBoard breakers;
  std::vector<std::unique_ptr<WorkerCounters>> counters;  // each written by its worker
  // Each filled by its worker, the last by the control thread.
  std::vector<std::unique_ptr<Happenings>> happenings;
  std::vector<Worker*> workers;  // complete before the first turn
  ReloadCounters reloads;        // written by the control thread
  Control* control = nullptr;
  Herald* herald = nullptr;             // null: nothing is told to anybody
  const Log* log = nullptr;             // null: it is somebody else's
  StoreDirectory* directory = nullptr;  // null: without Redis
  Treasury* treasury = nullptr;         // null: costs are switched off
  LogSpill* spill = nullptr;            // null: log records are switched off
  net::RedisAddress redis_address;      // at start; no endpoint if its name is still to be resolved
  std::string node;               // this daemon's name among the fleet: StoreNews::kSenderBytes
  std::atomic<int64_t> hosts{1};  // alive, this one included; frozen while Redis is away
  const int64_t started_ns = machine.monotonic_ns();
  const int64_t started_us = machine.realtime_us();
  std::atomic<bool> starting{false};  // the workers do not run yet
  std::atomic<bool> draining{false};
  std::atomic<bool> accepting_ended{false};  // nobody is handed over any more
};

}  // namespace toll::daemon
