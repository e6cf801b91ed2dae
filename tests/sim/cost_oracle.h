// Promise 4, exactly once, held against what clients were told about costs and what lies in Redis:
// for each id, what was acknowledged <= its total <= what was ever sent, of which what has a key
// counts once however often it was sent.
//
// Excused is only what was acknowledged while two state directories were copies of one (somebody
// restored an older one, or ran two daemons on the same) until it was found; what was before that,
// if Redis forgot after it; and, where the journal does not keep everything, what was acknowledged
// before Redis forgot.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/cost_load.h"
#include "tests/sim/history.h"
#include "tests/sim/redis_node.h"

namespace toll::sim {

struct Request;
struct Told;

class CostOracle {
 public:
  CostOracle(Scheduler& scheduler, History& history, const CostLoad& load, RedisNode& redis)
      : scheduler_(scheduler), history_(history), load_(load), redis_(redis) {}

  void asked(const Request& request);
  void answered(const Request& request, const Told& reply);
  // In calm times: the sum that it tells is none too high.
  void check_told(const Request& request, const Told& reply) const;

  // What that host acknowledged since then, in these of its lives, is nowhere any more.
  void given_up(size_t host, int64_t since_ns, uint64_t first_life, uint64_t last_life);

  // From then on that host may charge under numbers that another daemon of its name used for
  // others. A Redis that forgets after that may have forgotten the fence, or which of the two it
  // had.
  void shared_name(size_t host, int64_t since_ns);

  // At the end, when all has settled.
  void judge();
  // Whom Redis knows that name by now: "epoch:token"; "" is nobody.
  std::string owner_of_epoch(const std::string& node) const;

  uint64_t acknowledged() const { return acknowledged_; }

 private:
  struct Ack {
    int64_t amount;
    size_t host;
    uint64_t life;
    int64_t when_ns;
  };
  struct Keyed {
    int64_t amount = 0;
    std::vector<Ack> acks;
  };
  struct Hold {
    int64_t amount;
    int64_t until_ns;
  };
  struct Tally {
    int64_t sent = 0;  // of keyed ones, each once
    std::map<std::string, Keyed> keyed;
    std::map<std::string, Hold> holds;  // that Redis admitted
    uint64_t breaks = 0;
  };
  struct GivenUp {
    size_t host;
    int64_t since_ns;
    uint64_t first_life;
    uint64_t last_life;
  };

  void check_shape(const Request& request, const Told& reply) const;
  void check_not_more(const std::string& id, const Tally& tally) const;
  void held(const Request& request, const Told& reply, Tally& tally);
  bool excused(const Ack& ack) const;
  void tell_of(const std::string& id) const;
  int64_t total(const std::string& id) const;

  Scheduler& scheduler_;
  History& history_;
  const CostLoad& load_;
  RedisNode& redis_;
  std::map<std::string, Tally> tallies_;
  std::vector<std::pair<std::string, Ack>> acks_;  // of what has no key
  std::vector<GivenUp> given_up_;
  std::vector<std::pair<size_t, int64_t>> shared_names_;  // host, since
  uint64_t acknowledged_ = 0;
};

}  // namespace toll::sim
