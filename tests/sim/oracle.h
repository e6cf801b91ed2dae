// What must be true of a fleet, held against all that its clients were told: the promises 1, 2, 3,
// 5 and 7, and that replies come in the order of the requests. Promise 4 is in cost_oracle.h,
// promise 6 in log_oracle.h, promise 8 in bounds_oracle.h.
//
// The oracle knows only what a client can know, the clock of Redis, and what was done to the world.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "engine/store_batch.h"
#include "tests/sim/cost_oracle.h"
#include "tests/sim/daemon_host.h"
#include "tests/sim/history.h"
#include "tests/sim/log_oracle.h"
#include "tests/sim/redis_node.h"
#include "tests/sim/workload.h"

namespace toll::sim {

struct Request {
  Wish wish;
  size_t host = 0;
  uint64_t client = 0;
  uint64_t number = 0;
  int64_t sent_ns = 0;
  int64_t redis_sent_us = 0;
  uint64_t life = 0;    // of the host's process
  uint64_t breaks = 0;  // of Redis' memory
  // When it must be answered: by its own deadline, or right after those before it on its
  // connection.
  int64_t due_ns = 0;
  int64_t waits_since_ns = 0;  // since when it or one of those is under way
  bool alone = false;          // no other was under way on its connection when it was sent
  int64_t client_idle_ns = 0;  // that its client had not read for before it was sent
};

enum class Word : uint8_t { kAllow, kDeny, kOk, kError };

struct Told {
  Word word = Word::kOk;
  int64_t limit = 0;
  int64_t remaining = 0;
  int64_t retry_ms = 0;
  std::string source;
  size_t position = 0;
  uint64_t ticket = 0;
  std::string text;   // of an error, or of HEALTH
  int64_t spent = 0;  // nano-dollars, as the next
  int64_t held = 0;
  std::string hold;
  std::vector<std::string> rows;  // of a list
};

struct OracleCounts {
  uint64_t answered = 0;
  uint64_t unanswered = 0;
  uint64_t allowed = 0;
  uint64_t denied = 0;
  uint64_t errors = 0;
  std::map<std::string, uint64_t> by_source;
  uint64_t cache_checks = 0;
};

class Oracle {
 public:
  Oracle(Scheduler& scheduler, History& history, Workload& workload, const CostLoad& cost_load,
         const LogLoad& log_load, RedisNode& redis,
         std::vector<std::unique_ptr<DaemonHost>>& hosts);

  // A request is on its way.
  void asked(const Request& request);
  // What clients tell. Units of one that gets no answer may have been counted.
  void answered(const Request& request, const Told& reply, int64_t client_idle_ns);
  void unanswered(const Request& request);
  // A ticket is being given back: from now on it may be another's.
  void releasing(const Part& part, uint64_t ticket) { tally(part).tickets.erase(ticket); }

  // What was done to the world: a fault began or ended, a host's clock was set.
  void disturbed(int64_t until_ns);
  void clock_set(size_t host);
  void clocks_stood() { clocks_stood_ns_ = scheduler_.now_ns(); }  // a host's, until now

  // The tightest deadline of what it names.
  int64_t deadline_ns(const Wish& wish) const;

  // How slow the way of a client's bytes may be.
  void set_way(int64_t most_ns) { way_ns_ = most_ns; }

  // At the end, when all is still: what a key's counter says.
  void counted(size_t rule, size_t id, int64_t used);

  const OracleCounts& counts() const { return counts_; }
  CostOracle& costs() { return costs_; }
  LogOracle& logs() { return logs_; }

 private:
  struct Admission {
    int64_t sent;
    int64_t received;
    int64_t units;
  };
  struct Held {  // a ticket
    int64_t received_ns;
    int64_t until_ns;
  };
  struct Tally {
    int64_t admitted = 0;  // by Redis, acknowledged
    int64_t maybe = 0;     // may have been counted, or may yet be
    uint64_t breaks = 0;
    std::deque<Admission> recent;  // by Redis' clock
    std::map<uint64_t, Held> tickets;
    int64_t giving_back = 0;     // requests under way that do
    int64_t given_back_ns = -1;  // the last time that one ended
  };
  struct Dark {
    std::deque<Admission> recent;  // true time
  };

  Tally& tally(const Part& part) { return tallies_[{part.rule, part.id}]; }
  bool by_store(const Rule& rule) const { return rule.spec.mode != engine::Mode::kLocal; }
  void end_giving_back(const Request& request);
  void note_hosts(size_t host);
  int64_t least_hosts(size_t host, int64_t since_ns) const;

  void check_shape(const Request& request, const Told& reply);
  void check_time(const Request& request, int64_t client_idle_ns);
  void check_source(const Request& request, const Told& reply);
  void check_cost_source(const Request& request, const Told& reply);
  void check_cache(const Request& request, const Told& reply);
  void admitted_by_redis(const Request& request, const Told& reply, const Part& part);
  void admitted_in_the_dark(const Request& request, const Part& part);
  void ticket_taken(const Request& request, const Told& reply);
  static int64_t bound(const engine::PolicySpec& spec, const engine::Limit& limit, int64_t count,
                       int64_t burst, int64_t passed_us);
  bool redis_would_admit(const Part& part);

  Scheduler& scheduler_;
  History& history_;
  Workload& workload_;
  RedisNode& redis_;
  std::vector<std::unique_ptr<DaemonHost>>& hosts_;
  const CostLoad& cost_load_;
  CostOracle costs_;
  LogOracle logs_;
  std::map<std::pair<size_t, size_t>, Tally> tallies_;
  std::map<std::tuple<size_t, uint64_t, size_t, size_t>, Dark> dark_;  // host, life, rule, id
  struct Seen {
    int64_t when_ns;
    int64_t hosts;
  };
  std::map<std::pair<size_t, uint64_t>, std::deque<Seen>> seen_hosts_;
  int64_t disturbed_until_ns_ = 0;
  int64_t way_ns_ = 0;
  std::map<size_t, int64_t> clock_uncertain_until_ns_;
  int64_t clocks_stood_ns_ = -kNsPerS * 3'600;
  OracleCounts counts_;
  std::shared_ptr<const engine::StoreRules> rules_;
  engine::StoreBatch probe_;
  engine::KeyHasher hasher_{{1, 2}};
};

}  // namespace toll::sim
