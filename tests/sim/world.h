// One run: a fleet of hosts, a Redis and clients, made and disturbed by one seed, and judged.
//
//   warm up, undisturbed  ->  `steps` steps under faults  ->  faults end, all must settle  ->  sums
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/bounds_oracle.h"
#include "tests/sim/client.h"
#include "tests/sim/cost_load.h"
#include "tests/sim/daemon_host.h"
#include "tests/sim/history.h"
#include "tests/sim/log_load.h"
#include "tests/sim/network.h"
#include "tests/sim/oracle.h"
#include "tests/sim/redis_node.h"
#include "tests/sim/workload.h"

namespace toll::sim {

// In this order they are drawn: a seed means another run if it changes.
enum class Fault : uint8_t {
  kKillDaemon,
  kShutDownDaemon,
  kStallCore,
  kStallDaemon,
  kBreakLinks,
  kPartition,
  kBadWeather,
  kRedisKept,
  kRedisOld,
  kRedisEmpty,
  kRedisStall,
  kRedisTrouble,
  kFlushScripts,
  kClientDies,
  kClientStopsReading,
  kSetClock,
  kStopClock,
  kSetRedisClock,
  kReload,
  kPowerCut,
  kDieWhileWriting,
  kDiskErrors,
  kDiskFull,
  kCopiedState,
  kRestoredState,
  kFailover,
};
inline constexpr size_t kFaults = 26;
std::string_view to_string(Fault fault);

struct RunSettings {
  uint64_t seed = 0;
  uint64_t steps = 20'000;  // under faults
  bool idle = false;        // no clients: how fast is nothing?
  bool aloud = false;
  LogShare logs = LogShare::kDrawn;
};

struct RunResult {
  std::string violation;  // "" if all promises were kept
  std::vector<std::string> history;
  uint64_t steps = 0;
  int64_t simulated_ns = 0;
  std::array<uint64_t, kFaults> faults{};
  OracleCounts counts;
  uint64_t charges = 0;  // acknowledged
  uint64_t records = 0;  // likewise
  NetworkCounts network;
  uint64_t redis_commands = 0;
};

class World {
 public:
  explicit World(const RunSettings& settings);
  ~World();

  RunResult run();

 private:
  void build();
  void add_host(size_t number);
  void add_clients();
  std::unique_ptr<Client> make_client(Random random, ClientSettings settings);
  void step();
  void run_until(int64_t when_ns);
  void disturb();
  void begin(Fault fault);
  static bool may_lose(Fault fault);
  void begin_at_host(Fault fault, size_t number, int64_t for_ns);
  void begin_on_the_way(Fault fault, size_t number, int64_t for_ns);
  void begin_at_redis(Fault fault, int64_t for_ns);
  void fail_over(int64_t for_ns);
  // world_disk.cc
  void begin_at_disk(Fault fault, size_t number, int64_t for_ns);
  void disk_errors(DaemonHost& host, int64_t for_ns);
  void copy_state(size_t number, int64_t for_ns);
  void end_copy(size_t of, size_t to);
  void restore_state(size_t number, int64_t for_ns);
  void end_restore(size_t number);
  // world_logs.cc
  void shape_logs(HostSettings& host);
  void add_log_clients();
  void bend_to_logs();
  test::MemoryDisk& any_disk(DaemonHost& host);
  void take_all_records();
  bool owns_name(const DaemonHost& host, uint64_t from_life) const;
  void start_again(DaemonHost& host, int64_t after_ns);
  void disturb_until(int64_t when_ns);
  void settle();
  void judge_health();
  void judge_sums();
  size_t any_host() { return random_.below(hosts_.size()); }

  const RunSettings settings_;
  Random random_;
  Scheduler scheduler_;
  History history_;
  Network network_;
  Workload workload_;
  // Drawn from by what came later than most, so that older seeds mean what they meant.
  Random cost_random_;
  CostLoad cost_load_;
  Random log_random_;  // likewise
  LogLoad log_load_;
  Random failover_random_;  // likewise
  uint64_t failovers_ = 0;
  std::string redis_host_;  // after the last of them
  std::unique_ptr<RedisNode> redis_;
  std::vector<std::unique_ptr<DaemonHost>> hosts_;
  std::unique_ptr<Oracle> oracle_;
  BoundsOracle bounds_{history_, hosts_};
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<std::unique_ptr<Client>> judges_;  // one for each host, that ask at the end
  std::vector<Fault> possible_;                  // of all faults, those of this run
  uint64_t clients_made_ = 0;
  int64_t fault_pause_ns_ = 0;
  bool disturbing_ = false;
  int64_t busy_until_ns_ = 0;  // the last of the faults under way
  std::array<uint64_t, kFaults> faults_{};
  // A state directory that was copied or is to be put back: one at a time.
  struct Mischief {
    bool under_way = false;
    int64_t since_ns = 0;
    std::string node;
    DiskFiles files;  // that the operator will put back
    uint64_t from_life = 0;
  };
  Mischief mischief_;
};

}  // namespace toll::sim
