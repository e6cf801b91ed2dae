// What clients ask about log records, and how a fleet is set up for it.
//
// A record tells who pushed it, on which of its connections, and the how many-th it is there:
//
//   "p<client>.<connection>-<number> xxxxxx"     within {"r":"..."} where they are JSON
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/settings.h"
#include "daemon/journal.h"
#include "tests/sim/random.h"

namespace toll::sim {

// The part of a wish that is about log records.
struct LogWish {
  std::string record;  // to be pushed
  uint64_t connection = 0;
  uint64_t number = 0;  // of the record, on its connection
  int64_t count = 1;    // records, at most
  int64_t wait_ms = 0;
};

// Whether a run is about log records: as the seed has it, not at all, or about nothing else.
enum class LogShare : uint8_t { kDrawn, kNone, kAll };

class LogLoad {
 public:
  LogLoad(Random random, LogShare share);

  // Not in all runs, as with costs.
  bool on() const { return on_; }
  const config::LogsSettings& settings() const { return settings_; }
  const daemon::Journal::Settings& shape() const { return shape_; }

  std::string record(uint64_t client, uint64_t connection, uint64_t number);
  int64_t any_count() { return random_.skewed(1, count_most_); }
  int64_t any_wait_ms() { return chance(10) ? 0 : random_.skewed(1, 1'500); }
  bool chance(uint64_t percent) { return random_.chance(percent); }
  // Whether anybody takes records before the end; and of those who do, how slow they are.
  bool consumed() const { return consumed_; }
  int64_t consumer_slowness() const { return consumer_slowness_; }
  uint64_t question_percent() const { return question_percent_; }
  uint64_t wait_percent() const { return wait_percent_; }
  uint64_t clear_percent() const { return clear_percent_; }
  uint64_t pipeline_percent() const { return pipeline_percent_; }
  // Consumers that leave before their records come, or do not read them for long.
  uint64_t leave_percent() const { return leave_percent_; }
  uint64_t dawdle_percent() const { return dawdle_percent_; }
  // Nobody asks about anything else: so more of a run is about this.
  bool alone() const { return alone_; }

 private:
  Random random_;
  bool on_;
  config::LogsSettings settings_;
  daemon::Journal::Settings shape_;
  int64_t bytes_most_;
  int64_t count_most_;
  bool consumed_;
  int64_t consumer_slowness_;
  uint64_t question_percent_;
  uint64_t wait_percent_;
  uint64_t clear_percent_;
  uint64_t pipeline_percent_;
  uint64_t leave_percent_;
  uint64_t dawdle_percent_;
  bool alone_;
};

}  // namespace toll::sim
