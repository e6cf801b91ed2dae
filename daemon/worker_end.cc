// How a worker ends: its clients leave or are cut off, and Redis is told.
#include <algorithm>
#include <cstdint>

#include "daemon/acceptor.h"
#include "daemon/costs.h"
#include "daemon/fleet.h"
#include "daemon/log_home.h"
#include "daemon/logs.h"
#include "daemon/session.h"
#include "daemon/store.h"
#include "daemon/worker.h"

namespace toll::daemon {
namespace {

// How long the end may take to say goodbye to Redis.
constexpr int64_t kGoodbyeNs = 200'000'000;

}  // namespace

void Worker::stop_accepting() {
  if (acceptor_ != nullptr) acceptor_->stop();
}

void Worker::drain() {
  draining_ = true;
  if (store_ != nullptr) store_->give_leases_back();
  stop_accepting();
}

void Worker::abort_sessions() {
  for (const auto& session : sessions_) session->abort();
}

// After stop(): clients are cut off, and Redis is told that we go. Turns go on meanwhile, since
// others may still wait for what this worker's shard has to say.
void Worker::begin_to_part() {
  part_by_ns_ = turn_ns() + kGoodbyeNs;
  abort_sessions();
  if (store_ != nullptr) store_->stop(turn_ns());
  if (costs_ != nullptr) costs_->stop();
  if (log_home_ != nullptr) log_home_->stop();
  if (fleet_ != nullptr) fleet_->stop();
}

bool Worker::parted() {
  if (part_by_ns_ == 0) return false;
  const bool late = turn_ns() > part_by_ns_;
  if (late && store_ != nullptr) store_->cut();
  if (store_ != nullptr && !store_->stopped()) return false;
  if (costs_ != nullptr && !costs_->idle()) return false;
  if (logs_ != nullptr && !logs_->idle()) return false;
  if (log_home_ != nullptr && !log_home_->idle()) return false;
  if (fleet_ != nullptr && !fleet_->stopped()) return false;
  // A connection that is on its way to its worker may yet ask the others.
  const uint64_t handed = process_.counters[0]->connections_handed.get();
  uint64_t opened = 0;
  uint64_t closed = 0;
  for (const auto& counters : process_.counters) {
    opened += counters->connections_opened.get();
    closed += counters->connections_closed.get();
  }
  return std::max(handed, opened) == closed;
}

}  // namespace toll::daemon
