// What the service manager is told while the daemon runs: its state in a line, and that it lives.
//
// The watchdog is fed only while the loop of every worker turns. A worker with nothing to do sleeps
// without end, so at each feeding all that sleep are woken, and by the next each must have turned
// once more. Where nobody manages this process nothing is told, and nobody woken.
//
// For the main thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/process.h"

namespace toll::daemon {

class Supervision {
 public:
  explicit Supervision(Process& process);

  // Every worker runs: the manager may start what waits for us. Begins all of the below.
  void ready();

  // Tells what is due. Returns when to come again, at the latest; INT64_MAX: there is no need to.
  int64_t tick(int64_t now_ns);

 private:
  void feed(int64_t now_ns);
  bool all_turned() const;
  void wake_all();

  Process& process_;
  const bool managed_;
  const int64_t watchdog_ns_;  // the manager's patience; 0: it has no watchdog
  std::string told_;
  int64_t next_status_ns_ = INT64_MAX;
  int64_t next_feed_ns_ = INT64_MAX;
  std::vector<uint64_t> turns_;  // of each worker, at the last feeding
};

}  // namespace toll::daemon
