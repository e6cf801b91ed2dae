// What a seed makes the fleet live with: its policies, and what its clients ask.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/policy.h"
#include "tests/sim/cost_load.h"
#include "tests/sim/log_load.h"
#include "tests/sim/random.h"

namespace toll::sim {

// A policy, and what is done under it.
struct Rule {
  engine::PolicySpec spec;
  // Nothing is given back and nothing charged past the limit, so what was admitted adds up.
  bool plain = true;
  // Its window does not end during a run, nor move: what is used at the end is all that was used.
  bool lasting = false;
};

enum class Ask : uint8_t {
  kCheck,
  kPeek,
  kRefund,
  kCharge,
  kReset,
  kAcquire,
  kRelease,
  kHealth,
  kCostAdd,
  kCostGet,
  kCostCheck,
  kCostHold,
  kCostSettle,
  kCostCancel,
  kLogPush,
  kLogPop,
  kLogWait,
  kLogPeek,
  kLogSize,
  kLogStats,
  kLogClear,
};
constexpr bool about_logs(Ask ask) {
  return ask >= Ask::kLogPush;
}
constexpr bool about_costs(Ask ask) {
  return ask >= Ask::kCostAdd && !about_logs(ask);
}
// Replies are lists of records, which are the client's from then on.
constexpr bool takes_records(Ask ask) {
  return ask == Ask::kLogPop || ask == Ask::kLogWait;
}

struct Part {
  size_t rule = 0;
  size_t id = 0;
  int64_t units = 1;
};

// A request as a client thinks of it.
struct Wish {
  Ask ask = Ask::kCheck;
  std::vector<Part> parts;  // several: a CHECK of all or nothing
  uint64_t ticket = 0;      // of a RELEASE
  CostWish cost = {};
  LogWish log = {};
};

class Workload {
 public:
  explicit Workload(Random random);

  const std::vector<Rule>& rules() const { return rules_; }
  std::vector<engine::PolicySpec> specs() const;
  static std::string id(size_t number) { return "id" + std::to_string(number); }
  size_t ids() const { return ids_; }

  Wish draw();

 private:
  void add(engine::Algorithm algorithm, std::vector<engine::Limit> limits);
  Part part(size_t rule);

  Random random_;
  std::vector<Rule> rules_;
  size_t ids_ = 1;
  uint64_t peek_percent_;
  uint64_t mess_percent_;
  uint64_t group_percent_;
};

}  // namespace toll::sim
