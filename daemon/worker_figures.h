// The figures that are one number of each worker: one table, from which STATS and the metrics page
// are made.
//
// Rows are constants. Reading one is a few loads; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "daemon/process.h"
#include "daemon/statistics.h"

namespace toll::daemon {

struct WorkerFigure {
  std::string_view name;    // in STATS; "" is not there
  std::string_view metric;  // on the page, "_total" where it only rises; "" is not there by itself
  std::string_view help;    // what the metric is; "" behind a row of the same metric
  uint64_t (*read)(const WorkerCounters&);
  std::string_view label = {};  // of the metric, and its value
  std::string_view value = {};
  double parts = 1;  // so many of it are one of the metric's unit
};

std::span<const WorkerFigure> worker_figures();

// Of all workers together.
uint64_t sum(const Process& process, const WorkerFigure& figure);

}  // namespace toll::daemon
