// The store behind a worker's shard: which questions go to Redis, what is remembered of its
// refusals, and what is answered when it is away.
//
//   ask ──▶ slice? ──▶ remembered refusal? ──▶ lane ──▶ Redis ──▶ settled: answer, note in the
//   shard
//             │ lease        │ cache                │ away, late, full
//             ▼              ▼                      ▼
//          answered       answered               the policy's on_outage
//
// Belongs to a worker and runs on its thread. Keys are divided among the worker's lanes, one link
// each, so that what concerns one key keeps its order. The breaker is the node's, and all lanes'.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/settings.h"
#include "daemon/letter.h"
#include "daemon/store_lane.h"
#include "daemon/store_leases.h"
#include "daemon/store_news.h"
#include "daemon/store_pulse.h"
#include "engine/breaker.h"
#include "engine/dark_usage.h"
#include "engine/refusal_memory.h"
#include "engine/store_batch.h"
#include "net/redis_link.h"

namespace toll::daemon {

class Worker;

class Store final : public StoreLaneOwner, public StorePulseOwner, private StoreLeasesOwner {
 public:
  static constexpr size_t kCollectedMax = 16;

  // `settings` outlive the store.
  Store(Worker& worker, const config::RedisSettings& settings, uint64_t seed);
  ~Store();

  void start();
  // Says goodbye to the fleet and ends the links; pump() on until stopped(). cut() does not wait.
  void stop(int64_t now_ns);
  void cut();
  bool stopped() const;

  void adopt(std::shared_ptr<const engine::PolicyTable> table);
  // How many hosts share the limits.
  void share_with(uint32_t hosts) { leases_.share_with(hosts); }
  // Slices go back and no more are asked for: this host is leaving.
  void give_leases_back() { leases_.give_all_back(); }
  void set_address(const net::RedisAddress& address);
  void set_password(const std::string& password);

  // Answers the question, now or later, through the worker. REQUIRES: by_store; `from` is set.
  void ask(Ask& ask);
  void ask(Together& together);

  // Which link the key's questions go over, and so in order: the same on all workers.
  size_t lane_of(const engine::KeyHash& key) const;

  engine::BreakerState breaker_state() const { return breaker_.state(); }
  net::RedisLink& first_link() { return lanes_.front()->link(); }

  // Once a turn, after questions were collected: sends what collected, answers what is late, looks
  // after the links.
  void pump();
  // When pump() is due at the latest, by the monotonic clock.
  int64_t next_due_ns() const;

  // The shard has decided in the store's place.
  void decided_here(const Ask& ask);
  void note_dark(const engine::Operation& operation, std::string_view id);

  // Units may have come back to a key by another daemon's doing, or to any.
  void forget(uint16_t policy, std::string_view id);
  void forget_all();
  // Whether other daemons' news reach us; if not, refusals are not believed for long.
  void hears_news(bool hears) { hears_news_ = hears; }

 private:
  // A charge for what was used in the dark.
  struct Repayment : Letter {
    Repayment() : Letter(LetterKind::kRepayment) {}
    engine::StoreRequest store;
    engine::Operation operation;
    std::string_view id;
    std::array<char, engine::kIdMax> bytes;
  };

  // StoreLaneOwner
  engine::Breaker& breaker() override { return breaker_; }
  uint64_t news_seen() const override { return news_.seen(); }
  int64_t slow_call_us() const override { return settings_.breaker.slow_call_us; }
  WorkerCounters& counters() override;
  engine::TimeUs now() override;
  int64_t turn_ns() override;
  void returned(engine::StoreRequest& request, const StoreFlightInfo& flight) override;
  void flight_over() override;
  void on_lane_ready(StoreLane& lane) override;
  void on_lane_away(StoreLane& lane, std::string_view reason, bool refused) override;

  // StoreLeasesOwner
  bool put_lease(engine::StoreRequest& request, const engine::KeyHash& key,
                 int64_t leave_ns) override {
    return put(request, key, leave_ns);
  }
  void hurry(const engine::KeyHash& key) override { lanes_[lane_of(key)]->hurry(); }
  void answered_from_slice(Ask& ask) override;
  void ask_exactly(Ask& ask) override;
  void answer_without_slice(Ask& ask) override { answer_without_store(ask); }
  void units_came_back(const engine::Operation& operation, std::string_view id) override;
  void note_used(const engine::Operation& operation) override { notes_.push_back(operation); }

  // StorePulseOwner
  void on_pulse(int64_t hosts) override;
  void on_pulse_failed(std::string_view error) override;

  bool put(engine::StoreRequest& request, const engine::KeyHash& key, int64_t leave_ns = 0);
  // What collected for leases, in the order in which it came. Before anything that comes later.
  void take_collected();
  void returned(Ask& ask, const StoreFlightInfo& flight);
  void returned(Together& together, const StoreFlightInfo& flight);
  void answer_without_store(Ask& ask);
  void learn(const engine::Operation& operation, std::string_view id,
             const StoreFlightInfo& flight);
  void learn(const Together& together, const StoreFlightInfo& flight);
  bool recall(Together& together);
  void note(const engine::Operation& operation);
  void repay();
  void watch_breaker();
  void pump_all();
  int64_t retry_us();

  Worker& worker_;
  const config::RedisSettings& settings_;
  engine::Breaker breaker_;
  engine::BreakerState breaker_seen_ = engine::BreakerState::kClosed;
  engine::RefusalMemory refusals_;
  engine::DarkUsage dark_;
  StoreLeases leases_;
  std::array<Ask*, kCollectedMax> collected_;  // so that memory is fetched for all of them at once
  size_t collected_count_ = 0;
  StoreNews news_;
  bool hears_news_ = false;
  bool said_away_ = false;
  std::shared_ptr<const engine::StoreRules> rules_;
  std::vector<std::unique_ptr<StoreLane>> lanes_;
  std::unique_ptr<StorePulse> pulse_;  // on the first lane
  bool stopping_ = false;
  std::vector<engine::Operation> notes_;  // for the shard, of the batch being dealt
  std::vector<std::unique_ptr<Repayment>> repayments_;
};

}  // namespace toll::daemon
