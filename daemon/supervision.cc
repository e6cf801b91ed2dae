#include "daemon/supervision.h"

#include <algorithm>

#include "daemon/report.h"
#include "systemd/notify.h"

namespace toll::daemon {
namespace {

constexpr int64_t kStatusEveryNs = 1'000'000'000;

// Parts of the manager's patience: the watchdog is fed twice in it, and where a worker has not
// turned yet it is looked at again after a little.
constexpr int64_t kFeedingsPerWatchdog = 2;
constexpr int64_t kLooksPerWatchdog = 20;

}  // namespace

Supervision::Supervision(Process& process)
    : process_(process),
      managed_(systemd::has_manager()),
      watchdog_ns_(systemd::watchdog_us() * 1000),
      turns_(process.workers_count) {}

void Supervision::ready() {
  told_ = status_line(process_);
  systemd::ready(told_);
  const int64_t now_ns = process_.machine.monotonic_ns();
  if (managed_) next_status_ns_ = now_ns + kStatusEveryNs;
  if (watchdog_ns_ == 0) return;
  wake_all();
  next_feed_ns_ = now_ns + watchdog_ns_ / kFeedingsPerWatchdog;
}

int64_t Supervision::tick(int64_t now_ns) {
  if (now_ns >= next_status_ns_) {
    std::string line = status_line(process_);
    if (line != told_) {
      told_ = std::move(line);
      systemd::status(told_);
    }
    next_status_ns_ = now_ns + kStatusEveryNs;
  }
  if (now_ns >= next_feed_ns_) feed(now_ns);
  return std::min(next_status_ns_, next_feed_ns_);
}

// One that was about to sleep when it was to be woken is woken at the next look.
void Supervision::feed(int64_t now_ns) {
  if (all_turned()) {
    systemd::feed_watchdog();
    wake_all();
    next_feed_ns_ = now_ns + watchdog_ns_ / kFeedingsPerWatchdog;
    return;
  }
  for (uint32_t worker = 0; worker < process_.workers_count; ++worker) process_.post.wake(worker);
  next_feed_ns_ = now_ns + watchdog_ns_ / kLooksPerWatchdog;
}

bool Supervision::all_turned() const {
  for (uint32_t worker = 0; worker < process_.workers_count; ++worker) {
    if (process_.counters[worker]->turns.get() == turns_[worker]) return false;
  }
  return true;
}

void Supervision::wake_all() {
  for (uint32_t worker = 0; worker < process_.workers_count; ++worker) {
    turns_[worker] = process_.counters[worker]->turns.get();
    process_.post.wake(worker);
  }
}

}  // namespace toll::daemon
