// What clients ask about costs, and how a fleet is set up for it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "config/settings.h"
#include "daemon/journal.h"
#include "tests/sim/random.h"

namespace toll::sim {

// The part of a wish that is about costs.
struct CostWish {
  std::string id;
  int64_t amount = 0;  // nano-dollars
  // An idempotency key, "" for none; or the hold that is settled or cancelled.
  std::string text;
  int64_t ttl_ms = 0;  // of a hold
};

class CostLoad {
 public:
  explicit CostLoad(Random random);

  // Not in all runs: what is about limits alone is to be found faster.
  bool on() const { return on_; }
  const config::CostsSettings& settings() const { return settings_; }
  const daemon::Journal::Settings& shape() const { return shape_; }
  // Redis forgetting must be outlived: the journal keeps all of a run.
  bool keeps_all() const { return keeps_all_; }

  size_t ids() const { return ids_; }
  static std::string id(size_t number) { return "team" + std::to_string(number); }
  std::string any_id() { return id(random_.below(ids_)); }
  int64_t any_amount();
  bool chance(uint64_t percent) { return random_.chance(percent); }
  uint64_t keyed_percent() const { return keyed_percent_; }
  uint64_t hold_percent() const { return hold_percent_; }
  uint64_t question_percent() const { return question_percent_; }

 private:
  Random random_;
  bool on_;
  bool keeps_all_ = true;
  config::CostsSettings settings_;
  daemon::Journal::Settings shape_;
  size_t ids_;
  uint64_t keyed_percent_;
  uint64_t hold_percent_;
  uint64_t question_percent_;
};

}  // namespace toll::sim
