// The control thread: the main thread, once the workers run. It waits for signals and for reloads,
// reads the configuration (which may block and allocate, as workers may not), and ends the process
// in order.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "config/load.h"
#include "daemon/process.h"
#include "engine/policy.h"
#include "net/event_doorbell.h"
#include "net/listener.h"

namespace toll::daemon {

struct ReloadResult {
  std::string error;   // file, line and reason; "" if the new configuration is in force
  std::string notice;  // keys that differ and that only a restart can change; "" if none
};

class Control {
 public:
  // `sources` is what was loaded at start and is loaded again by a reload; `settings` and `table`
  // are in force.
  Control(Process& process, config::Sources sources, config::Settings settings,
          std::shared_ptr<const engine::PolicyTable> table, net::Listener& listener);
  ~Control();

  // The signals that run() waits for; to be blocked before any thread is started. Throws
  // std::system_error.
  static void block_signals();

  // Main thread: until SIGTERM or SIGINT has come and every client was answered, or the time for
  // that is up.
  void run();

  // Reads the configuration again; `done` is called on some thread once every worker decides by it,
  // or with what is wrong with it. Any thread.
  void reload(std::function<void(ReloadResult)> done);

 private:
  void reload_now(const std::function<void(ReloadResult)>& done);
  void run_requests();
  void drain();
  bool drained() const;

  Process& process_;
  net::Listener& listener_;
  const config::Sources sources_;
  config::Settings settings_;
  std::shared_ptr<const engine::PolicyTable> table_;
  net::EventDoorbell doorbell_;
  int signals_;

  std::mutex mutex_;  // requests_ only
  std::vector<std::function<void(ReloadResult)>> requests_;
};

}  // namespace toll::daemon
