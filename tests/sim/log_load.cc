#include "tests/sim/log_load.h"

#include <fmt/format.h>

#include "daemon/log_spill.h"

namespace toll::sim {

LogLoad::LogLoad(Random random, LogShare share) : random_(random) {
  const bool only = share == LogShare::kAll;
  on_ = (random_.chance(60) || only) && share != LogShare::kNone;
  settings_.enabled = on_;
  const bool json = random_.chance(30);
  settings_.format = json ? config::LogRecordFormat::kJson : config::LogRecordFormat::kText;
  settings_.max = random_.chance(60) ? 1'000'000 : random_.skewed(1, 100);
  shape_ = daemon::LogSpill::default_shape();
  shape_.segment_bytes = static_cast<uint64_t>(random_.skewed(1 << 9, 64 << 10));
  if (random_.chance(30)) {
    settings_.spill_bytes_max = random_.between(3, 12) * static_cast<int64_t>(shape_.segment_bytes);
  }
  bytes_most_ = random_.skewed(1, 6'000);
  count_most_ = random_.skewed(1, 300);
  consumed_ = random_.chance(75);
  consumer_slowness_ = random_.skewed(1, 12);
  question_percent_ = random_.below(40);
  wait_percent_ = random_.below(101);
  clear_percent_ = random_.chance(15) ? 3 : 0;
  pipeline_percent_ = random_.chance(20) ? random_.below(60) : 0;
  leave_percent_ = random_.chance(40) ? random_.below(40) : 0;
  dawdle_percent_ = random_.chance(40) ? random_.below(40) : 0;
  alone_ = on_ && (random_.chance(60) || only);
}

std::string LogLoad::record(uint64_t client, uint64_t connection, uint64_t number) {
  const auto bytes = static_cast<size_t>(random_.skewed(0, bytes_most_));
  const char letter = static_cast<char>('a' + number % 26);
  const std::string text =
      fmt::format("p{}.{}-{} {}", client, connection, number, std::string(bytes, letter));
  return settings_.format == config::LogRecordFormat::kJson ? "{\"r\":\"" + text + "\"}" : text;
}

}  // namespace toll::sim
