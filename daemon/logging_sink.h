// Where the daemon's log goes: a descriptor that may be slow, or that nobody reads, without anybody
// ever waiting for it.
//
// Lines are formatted by who logs, into a queue of bounded size; a thread of the sink's own writes
// them. What finds no room in the queue is dropped and counted, and the count is told in its place
// once there is room. Repeats are held back (daemon/logging_repeats.h), but for debug and trace,
// which somebody asked for.
#pragma once

#include <atomic>
#include <cstdint>
#include <future>
#include <memory>
#include <mutex>
#include <spdlog/formatter.h>
#include <spdlog/sinks/sink.h>
#include <string>
#include <thread>

#include "daemon/logging_repeats.h"
#include "net/event_doorbell.h"

namespace toll::daemon {

class LogQueue;

class LoggingSink final : public spdlog::sinks::sink {
 public:
  // Starts the thread: the process' signals are blocked by now, or it would take them. `fd` stays
  // the caller's and is left as it is, blocking or not. Throws std::system_error.
  LoggingSink(int fd, std::unique_ptr<spdlog::formatter> formatter);
  ~LoggingSink() override;

  // Any thread; never waits for the descriptor.
  void log(const spdlog::details::log_msg& message) override;
  void flush() override {}

  // Writes what is queued and ends the thread. Waits for a reader for half a second at most, then
  // what he did not take is lost. Nothing is written afterwards. One thread, at the end.
  void finish();

  // Lines that found no room so far. Any thread.
  uint64_t dropped() const;

 private:
  // Not used: the formatter is the one it was made with.
  void set_pattern(const std::string& pattern) override;
  void set_formatter(std::unique_ptr<spdlog::formatter> formatter) override;

  // The thread's as much as ours: where it cannot be ended, since a write hangs, it is left behind.
  std::shared_ptr<LogQueue> queue_;
  std::future<void> written_;
  std::thread thread_;
};

}  // namespace toll::daemon
