#include "tests/sim/cost_load.h"

namespace toll::sim {
namespace {

constexpr int64_t kNanos = 1'000'000'000;
constexpr int64_t kUsPerMs = 1'000;

}  // namespace

CostLoad::CostLoad(Random random) : random_(random) {
  on_ = random_.chance(75);
  settings_.enabled = on_;
  settings_.layout = random_.chance(60) ? engine::CostLayout::kHash : engine::CostLayout::kString;
  settings_.ack = random_.chance(75) ? config::CostAck::kDisk : config::CostAck::kRedis;
  if (random_.chance(60)) settings_.budget = random_.between(1, 400) * kNanos;
  shape_.segment_bytes = static_cast<uint64_t>(random_.skewed(1 << 10, 64 << 10));
  shape_.zeroed_ahead_bytes = static_cast<uint64_t>(random_.skewed(1 << 9, 8 << 10));
  const uint64_t kind = random_.below(100);
  if (kind < 30) {
    settings_.journal_retain_us = random_.skewed(0, 3'000) * kUsPerMs;
    keeps_all_ = false;
  } else if (kind < 45) {
    settings_.journal_max_bytes =
        random_.between(4, 24) * static_cast<int64_t>(shape_.segment_bytes);
    keeps_all_ = false;
  }
  ids_ = static_cast<size_t>(random_.skewed(1, 12));
  keyed_percent_ = random_.below(70);
  hold_percent_ = random_.chance(60) ? random_.below(50) : 0;
  question_percent_ = random_.below(40);
}

int64_t CostLoad::any_amount() {
  if (random_.chance(5)) return 0;
  if (random_.chance(50)) return random_.skewed(1, 9) * kNanos;
  return random_.between(1, 3 * kNanos);
}

}  // namespace toll::sim
