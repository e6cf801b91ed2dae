// The control thread: the main thread, once the workers run. It waits for signals and for requests,
// reads the configuration (which may block and allocate, as workers may not), and ends the process
// in order.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "config/load.h"
#include "daemon/process.h"
#include "daemon/supervision.h"
#include "engine/policy.h"
#include "net/event_doorbell.h"
#include "net/listener.h"

namespace toll::daemon {

// What came of a request to the control thread.
struct ControlResult {
  std::string error;   // of a reload: file, line and reason; "" if it was done
  std::string notice;  // of a reload: keys that differ and that only a restart can change, or ""
};
using ControlDone = std::function<void(ControlResult)>;

class Control {
 public:
  // `sources` is what was loaded at start and is loaded again by a reload; `loaded` and `table` are
  // in force.
  Control(Process& process, config::Sources sources, config::Loaded loaded,
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
  void reload(ControlDone done);

  // Takes no new connections from now on; those that are there go on until their clients leave.
  // `done` is called on some thread once it is so. Any thread.
  void close_entrance(ControlDone done);

  using Settings = std::vector<config::Setting>;
  // What was configured and is in force: of what only a restart can change, as at start. Any
  // thread.
  std::shared_ptr<const Settings> configuration();

  // The policies in force. Any thread.
  std::shared_ptr<const engine::PolicyTable> policies();

 private:
  void request(std::function<void()> task);
  void reload_now(const ControlDone& done);
  void close_entrance_now(const ControlDone& done);
  void refuse(const ControlDone& done, std::string error);
  // What changed, for whom the herald tells.
  void tell(std::string_view change, std::string_view outcome, std::string_view reason);
  void tell_level(config::LogLevel level);
  void run_requests();
  int until_next_tick_ms();
  void drain();
  bool drained() const;

  Process& process_;
  net::Listener& listener_;
  const config::Sources sources_;
  config::Settings settings_;
  std::shared_ptr<const engine::PolicyTable> table_;
  std::shared_ptr<const Settings> configuration_;
  net::EventDoorbell doorbell_;
  int signals_;
  Supervision supervision_;

  std::mutex mutex_;  // requests_, and table_ and configuration_ where others look
  std::vector<std::function<void()>> requests_;
};

}  // namespace toll::daemon
