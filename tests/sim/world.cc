#include "tests/sim/world.h"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>
#include <mutex>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

namespace toll::sim {
namespace {

constexpr int kRedisPlace = 0;
constexpr int kClientsPlace = 100;                // those of a host outlive its daemon
constexpr int64_t kLeastDelayNs = 20 * kNsPerUs;  // between a host and Redis
constexpr int64_t kShutDownNs = 2 * kNsPerS;      // what an orderly end may take
constexpr int64_t kTryAgainNs = 100 * kNsPerMs;   // after a start that failed

constexpr int64_t kWarmUpNs = 3 * kNsPerS;
constexpr int64_t kSettleNs = 20 * kNsPerS;
constexpr int64_t kJudgeNs = 2 * kNsPerS;

constexpr uint64_t kBoundsEverySteps = 64;

constexpr auto kFirstOfDisk = static_cast<size_t>(Fault::kPowerCut);
constexpr auto kPastDisk = static_cast<size_t>(Fault::kRestoredState) + 1;
constexpr int64_t kToldNs = 2 * kNsPerS;  // until a daemon hears where Redis is now
constexpr uint64_t kCostSeed = 0x636f7374;
constexpr uint64_t kLogSeed = 0x6c6f6773;
constexpr uint64_t kFailoverSeed = 0x6d6f7665;

// 2026-01-01 00:00:10 UTC: a day has just begun, so its window lasts.
constexpr int64_t kEpochUs = 1'767'225'610'000'000;

// What the daemons log becomes part of the history.
class HistorySink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit HistorySink(History& history) : history_(history) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    history_.add("  log: " + std::string(message.payload.data(), message.payload.size()));
  }
  void flush_() override {}
  History& history_;
};

}  // namespace

std::string_view to_string(Fault fault) {
  static constexpr std::array<std::string_view, kFaults> kNames = {
      "kill-daemon", "shut-down-daemon", "stall-core",      "stall-daemon", "break-links",
      "partition",   "bad-weather",      "redis-restart",   "redis-old",    "redis-empty",
      "redis-stall", "redis-trouble",    "flush-scripts",   "client-dies",  "client-is-slow",
      "set-clock",   "stop-clock",       "set-redis-clock", "reload",       "power-cut",
      "die-writing", "disk-errors",      "disk-full",       "copied-state", "restored-state",
      "failover"};
  return kNames[static_cast<size_t>(fault)];
}

World::World(const RunSettings& settings)
    : settings_(settings),
      random_(settings.seed),
      history_(scheduler_, settings.aloud),
      network_(scheduler_, random_.fork()),
      workload_(random_.fork()),
      cost_random_(settings.seed ^ kCostSeed),
      cost_load_(cost_random_.fork()),
      log_random_(settings.seed ^ kLogSeed),
      log_load_(log_random_.fork(), settings.logs),
      failover_random_(settings.seed ^ kFailoverSeed) {
  auto logger = std::make_shared<spdlog::logger>("sim", std::make_shared<HistorySink>(history_));
  logger->set_level(spdlog::level::info);
  spdlog::set_default_logger(logger);
  build();
}

World::~World() {
  clients_.clear();
  judges_.clear();
  hosts_.clear();
  spdlog::set_default_logger(std::make_shared<spdlog::logger>("none"));
}

void World::build() {
  redis_ =
      std::make_unique<RedisNode>(scheduler_, network_, history_, random_.fork(), kRedisPlace,
                                  "10.0.0.1:6379", kEpochUs + random_.between(-3, 3) * 100'000);
  const int64_t hosts = random_.between(1, 3);
  for (int64_t i = 0; i < hosts; ++i) add_host(static_cast<size_t>(i));
  oracle_ = std::make_unique<Oracle>(scheduler_, history_, workload_, cost_load_, log_load_,
                                     *redis_, hosts_);
  oracle_->set_way(Weather{}.most_delay_ns);
  add_clients();
  // Swarm testing (Groce et al., ISSTA 2012): runs that leave faults out find what runs with all of
  // them hide.
  for (size_t i = 0; i < kFirstOfDisk; ++i) {
    if (random_.chance(40)) possible_.push_back(static_cast<Fault>(i));
  }
  if (failover_random_.chance(25)) possible_.push_back(Fault::kFailover);
  fault_pause_ns_ = random_.skewed(20 * kNsPerMs, 5 * kNsPerS);
  if (!cost_load_.on() && !log_load_.on()) return;
  for (size_t i = kFirstOfDisk; i < kPastDisk; ++i) {
    if (cost_random_.chance(40)) possible_.push_back(static_cast<Fault>(i));
  }
  // Where the journal does not keep all, a Redis that forgets excuses much.
  if (!cost_load_.keeps_all() && cost_random_.chance(70)) {
    std::erase(possible_, Fault::kRedisOld);
    std::erase(possible_, Fault::kRedisEmpty);
  }
  // What is kept shows when a process ends.
  for (const Fault fault : {Fault::kKillDaemon, Fault::kPowerCut, Fault::kDieWhileWriting}) {
    if (cost_random_.chance(70)) possible_.insert(possible_.end(), 2, fault);
  }
  if (cost_random_.chance(70)) fault_pause_ns_ = std::min(fault_pause_ns_, 300 * kNsPerMs);
  bend_to_logs();
}

void World::add_host(size_t number) {
  HostSettings host;
  host.place = static_cast<int>(number) + 1;
  host.name = fmt::format("host {}", number);
  host.address = fmt::format("/run/{}.sock", number);
  host.workers = static_cast<uint32_t>(random_.between(1, 3));
  host.epoch_us = kEpochUs + random_.between(-50'000, 50'000);
  host.drift_ppm = random_.between(-200, 200);
  config::Settings& settings = host.settings;
  settings.server.memory_bytes = size_t{8} << 20;
  settings.redis.enabled = true;
  settings.redis.host = "10.0.0.1";
  settings.redis.url = "redis://10.0.0.1:6379";
  settings.redis.links = random_.chance(80) ? 1 : 2;
  settings.policies = workload_.specs();
  settings.costs = cost_load_.settings();
  host.journal = cost_load_.shape();
  host.disk_seed = cost_random_.next();
  shape_logs(host);
  Weather weather;
  weather.least_delay_ns = kLeastDelayNs;
  weather.most_delay_ns = random_.skewed(100, 2'000) * kNsPerUs;
  network_.set_weather(kRedisPlace, host.place, weather);
  hosts_.push_back(std::make_unique<DaemonHost>(scheduler_, network_, history_, random_.fork(),
                                                std::move(host)));
}

void World::add_clients() {
  const int64_t pause_most_ns = random_.skewed(500 * kNsPerUs, 200 * kNsPerMs);
  const auto make = [&](size_t host, size_t depth, CostLoad* costs) {
    return make_client((costs == nullptr ? random_ : cost_random_).fork(),
                       {.host = host,
                        .depth = depth,
                        .pause_least_ns = pause_most_ns / 4,
                        .pause_most_ns = pause_most_ns,
                        .costs = costs});
  };
  for (size_t host = 0; host < hosts_.size(); ++host) {
    const int64_t clients = settings_.idle || log_load_.alone() ? 0 : random_.between(1, 4);
    for (int64_t i = 0; i < clients; ++i) {
      clients_.push_back(make(host, static_cast<size_t>(random_.skewed(1, 32)), nullptr));
    }
    judges_.push_back(make(host, 64, nullptr));
    judges_.back()->rest();
  }
  if (settings_.idle) return;
  add_log_clients();
  if (!cost_load_.on() || log_load_.alone()) return;
  for (size_t host = 0; host < hosts_.size(); ++host) {
    for (int64_t i = cost_random_.between(1, 2); i > 0; --i) {
      const auto depth = static_cast<size_t>(cost_random_.skewed(1, 32));
      clients_.push_back(make(host, depth, &cost_load_));
    }
  }
}

std::unique_ptr<Client> World::make_client(Random random, ClientSettings settings) {
  settings.number = ++clients_made_;
  settings.place = kClientsPlace + hosts_[settings.host]->settings().place;
  return std::make_unique<Client>(scheduler_, network_, history_, *oracle_, workload_, *redis_,
                                  hosts_, random, settings);
}

void World::run_until(int64_t when_ns) {
  bool over = false;
  scheduler_.at(when_ns, [&over] { over = true; });
  while (!over && !history_.violated()) step();
}

void World::step() {
  scheduler_.step();
  if (scheduler_.steps() % kBoundsEverySteps == 0) bounds_.check();
}

RunResult World::run() {
  history_.tell("seed {}: {} hosts, {} clients, {} policies", settings_.seed, hosts_.size(),
                clients_.size(), workload_.rules().size());
  for (const Rule& rule : workload_.rules()) {
    history_.tell("  {} {} {} {} {} within {} ms{}", rule.spec.name,
                  engine::to_string(rule.spec.algorithm),
                  engine::PolicyTable::describe_limits(rule.spec),
                  engine::to_string(rule.spec.mode), engine::to_string(rule.spec.on_outage),
                  rule.spec.deadline_us / 1'000, rule.plain ? "" : ", messy");
  }
  oracle_->disturbed(kWarmUpNs);
  for (const auto& host : hosts_) host->start();
  for (const auto& client : clients_) client->start();
  for (const auto& judge : judges_) judge->start();
  run_until(kWarmUpNs);
  disturbing_ = true;
  if (!possible_.empty() && !settings_.idle) disturb();
  const uint64_t until = scheduler_.steps() + settings_.steps;
  while (scheduler_.steps() < until && !history_.violated()) step();
  settle();
  RunResult result;
  result.violation = history_.violation();
  result.history.assign(history_.lines().begin(), history_.lines().end());
  result.steps = scheduler_.steps();
  result.simulated_ns = scheduler_.now_ns();
  result.faults = faults_;
  result.counts = oracle_->counts();
  result.charges = oracle_->costs().acknowledged();
  result.records = oracle_->logs().acknowledged();
  result.network = network_.counts();
  result.redis_commands = redis_->server().commands_run();
  return result;
}

// ---- faults ----

void World::disturb() {
  scheduler_.after(random_.between(1, fault_pause_ns_), [this] {
    if (!disturbing_) return;
    begin(possible_[random_.below(possible_.size())]);
    disturb();
  });
}

void World::begin(Fault fault) {
  const size_t number = any_host();
  const int64_t for_ns = random_.skewed(kNsPerMs, 4 * kNsPerS);
  const bool of_process = fault == Fault::kKillDaemon || fault == Fault::kShutDownDaemon ||
                          fault == Fault::kReload || fault == Fault::kPowerCut ||
                          fault == Fault::kDieWhileWriting;
  if (of_process && !hosts_[number]->running()) return;
  const bool of_client = fault == Fault::kClientDies || fault == Fault::kClientStopsReading;
  if (of_client && clients_.empty()) return;
  ++faults_[static_cast<size_t>(fault)];
  disturb_until(scheduler_.now_ns() + for_ns);
  if (may_lose(fault)) oracle_->logs().may_lose(busy_until_ns_);
  switch (fault) {
    case Fault::kKillDaemon:
    case Fault::kShutDownDaemon:
    case Fault::kStallCore:
    case Fault::kStallDaemon:
    case Fault::kSetClock:
    case Fault::kStopClock:
    case Fault::kReload:
      return begin_at_host(fault, number, for_ns);
    case Fault::kBreakLinks:
    case Fault::kPartition:
    case Fault::kBadWeather:
      return begin_on_the_way(fault, number, for_ns);
    case Fault::kRedisKept:
    case Fault::kRedisOld:
    case Fault::kRedisEmpty:
    case Fault::kRedisStall:
    case Fault::kRedisTrouble:
    case Fault::kFlushScripts:
    case Fault::kSetRedisClock:
    case Fault::kFailover:
      return begin_at_redis(fault, for_ns);
    case Fault::kPowerCut:
    case Fault::kDieWhileWriting:
    case Fault::kDiskErrors:
    case Fault::kDiskFull:
    case Fault::kCopiedState:
    case Fault::kRestoredState:
      return begin_at_disk(fault, number, for_ns);
    case Fault::kClientDies:
      return clients_[random_.below(clients_.size())]->die();
    case Fault::kClientStopsReading:
      return clients_[random_.below(clients_.size())]->stop_reading(for_ns);
  }
}

// A reply, a client's or Redis', or all of a process.
bool World::may_lose(Fault fault) {
  return fault != Fault::kReload && fault != Fault::kFlushScripts && fault != Fault::kDiskErrors &&
         fault != Fault::kDiskFull;
}

void World::disturb_until(int64_t when_ns) {
  busy_until_ns_ = std::max(busy_until_ns_, when_ns);
  oracle_->disturbed(busy_until_ns_);
}

void World::begin_at_host(Fault fault, size_t number, int64_t for_ns) {
  DaemonHost& host = *hosts_[number];
  const std::string& name = host.settings().name;
  switch (fault) {
    case Fault::kKillDaemon:
      host.crash();
      return start_again(host, for_ns);
    case Fault::kShutDownDaemon:
      host.shut_down();
      disturb_until(busy_until_ns_ + kShutDownNs);
      return start_again(host, for_ns + kShutDownNs);
    case Fault::kStallCore:
      history_.tell("a core of {} stalls for {} us", name, for_ns / kNsPerUs);
      return host.stall(static_cast<uint32_t>(random_.below(4)), for_ns);
    case Fault::kStallDaemon:
      history_.tell("{} stalls for {} us", name, for_ns / kNsPerUs);
      return host.stall(for_ns);
    case Fault::kSetClock: {
      const int64_t us = random_.between(-5'000'000, 5'000'000);
      history_.tell("the clock of {} is set by {} us", name, us);
      host.machine().step_realtime(us);
      return oracle_->clock_set(number);
    }
    case Fault::kStopClock:
      history_.tell("{} and its clocks stand still for {} us", name, for_ns / kNsPerUs);
      host.stall(for_ns);
      host.machine().stop_clocks();
      return scheduler_.after(for_ns, [this, &host] {
        host.machine().go_on();
        oracle_->clocks_stood();
      });
    default:
      return host.reload(workload_.specs());
  }
}

void World::start_again(DaemonHost& host, int64_t after_ns) {
  scheduler_.after(after_ns, [this, &host] {
    if (host.running() || (!host.machine().stands() && host.start())) return;
    disturb_until(scheduler_.now_ns() + kTryAgainNs);
    start_again(host, kTryAgainNs);
  });
}

void World::begin_on_the_way(Fault fault, size_t number, int64_t for_ns) {
  const std::string& name = hosts_[number]->settings().name;
  const int place = hosts_[number]->settings().place;
  if (fault == Fault::kBreakLinks) {
    history_.tell("the links of {} break", name);
    return network_.break_connections(place, kRedisPlace);
  }
  if (fault == Fault::kPartition) {
    history_.tell("{} is parted from Redis for {} us", name, for_ns / kNsPerUs);
    network_.part(place, kRedisPlace);
    return scheduler_.after(for_ns, [this, place, &name] {
      network_.heal(place, kRedisPlace);
      history_.tell("{} reaches Redis again", name);
    });
  }
  const Weather bad{.least_delay_ns = kLeastDelayNs,
                    .most_delay_ns = random_.skewed(kNsPerMs, 300 * kNsPerMs),
                    .cut_percent = 50,
                    .refuse_percent = random_.below(50),
                    .reset_per_myriad = random_.below(300)};
  history_.tell("bad weather between {} and Redis for {} us: {} ms, {} of 10000 break", name,
                for_ns / kNsPerUs, bad.most_delay_ns / kNsPerMs, bad.reset_per_myriad);
  network_.set_weather(place, kRedisPlace, bad);
  scheduler_.after(for_ns, [this, place] {
    network_.set_weather(place, kRedisPlace,
                         {.least_delay_ns = kLeastDelayNs, .most_delay_ns = 500 * kNsPerUs});
  });
}

void World::begin_at_redis(Fault fault, int64_t for_ns) {
  switch (fault) {
    case Fault::kRedisKept:
      return redis_->restart(for_ns, RedisNode::Memory::kKept);
    case Fault::kRedisOld:
      return redis_->restart(for_ns, RedisNode::Memory::kOld);
    case Fault::kRedisEmpty:
      return redis_->restart(for_ns, RedisNode::Memory::kNone);
    case Fault::kRedisStall:
      return redis_->stall(for_ns);
    case Fault::kFailover:
      return fail_over(for_ns);
    case Fault::kRedisTrouble: {
      const int64_t last = static_cast<int64_t>(Trouble::kMaxclients);
      return redis_->trouble(static_cast<Trouble>(random_.between(1, last)), for_ns);
    }
    case Fault::kSetRedisClock: {
      const int64_t us = random_.between(-2'000'000, 2'000'000);
      history_.tell("the clock of Redis is set by {} us", us);
      return redis_->step_clock(us);
    }
    default:
      history_.tell("Redis' scripts are flushed");
      return redis_->flush_scripts();
  }
}

// Each daemon hears of it in its own time. What the old one had not sent on may be forgotten, where
// a Redis that forgets is among the faults.
void World::fail_over(int64_t for_ns) {
  const bool forgets = std::ranges::find(possible_, Fault::kRedisOld) != possible_.end();
  const auto memory =
      forgets && failover_random_.chance(50) ? RedisNode::Memory::kOld : RedisNode::Memory::kKept;
  const std::string host = fmt::format("10.0.1.{}", failovers_ % 250 + 1);
  if (!redis_->fail_over(for_ns, memory, host + ":6379")) return;
  ++failovers_;
  redis_host_ = host;
  disturb_until(scheduler_.now_ns() + for_ns + kToldNs);
  for (const auto& each : hosts_) {
    scheduler_.after(failover_random_.between(0, for_ns + kToldNs), [this, &each] {
      history_.tell("{} hears that Redis is at {}", each->settings().name, redis_host_);
      each->move_redis(redis_host_);
    });
  }
}

// ---- the end ----

void World::settle() {
  if (history_.violated()) return;
  disturbing_ = false;
  history_.tell("no more faults");
  for (const auto& client : clients_) client->calm();
  run_until(std::max(busy_until_ns_, scheduler_.now_ns()) + kSettleNs);
  for (const auto& client : clients_) client->rest();
  run_until(scheduler_.now_ns() + kJudgeNs);
  for (const auto& client : clients_) {
    if (!client->waiting()) continue;
    history_.violation("liveness: {}, were never answered", client->waiting_for());
  }
  judge_health();
  if (!settings_.idle) judge_sums();
  if (!history_.violated()) oracle_->costs().judge();
  if (!history_.violated()) take_all_records();
  if (!history_.violated()) oracle_->logs().judge();
}

void World::judge_health() {
  size_t told = 0;
  for (size_t i = 0; i < hosts_.size(); ++i) {
    judges_[i]->ask({.ask = Ask::kHealth, .parts = {}}, [this, i, &told](const Told& reply) {
      ++told;
      const std::string hosts = fmt::format("hosts={}", hosts_.size());
      const std::string costs = cost_load_.on() ? "costs=ready" : "costs=off";
      const std::string journal = cost_load_.on() ? "journal=ready" : "journal=off";
      const std::string logs = log_load_.on() ? "logs=ready" : "logs=off";
      for (const std::string& word :
           {std::string("redis=up"), std::string("breaker=closed"), hosts, costs, journal, logs}) {
        if (reply.text.find(word) != std::string::npos) continue;
        history_.violation("liveness: {} says {} and not {}, long after the last fault",
                           hosts_[i]->settings().name, reply.text, word);
      }
    });
  }
  run_until(scheduler_.now_ns() + kJudgeNs);
  if (told < hosts_.size() && !history_.violated()) {
    history_.violation("liveness: {} of {} daemons tell their health", told, hosts_.size());
  }
}

void World::judge_sums() {
  const auto& rules = workload_.rules();
  for (size_t rule = 0; rule < rules.size(); ++rule) {
    if (!rules[rule].lasting) continue;
    const int64_t limit = rules[rule].spec.limits[0].count;
    for (size_t id = 0; id < workload_.ids(); ++id) {
      judges_[0]->ask({.ask = Ask::kPeek, .parts = {{.rule = rule, .id = id}}},
                      [this, rule, id, limit](const Told& reply) {
                        if (reply.source == "redis") {
                          oracle_->counted(rule, id, limit - reply.remaining);
                        }
                      });
    }
  }
  run_until(scheduler_.now_ns() + kJudgeNs);
}

}  // namespace toll::sim
