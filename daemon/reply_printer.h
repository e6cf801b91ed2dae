// Prints replies as they came or as JSON, and keeps what a process should exit with.
//
// Writes to standard output through its buffer: flush() before waiting for anything. One thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "daemon/reply_reader.h"

namespace toll::daemon {

// The exit status of the `tollkeeper` command; the larger the worse.
enum class ExitStatus : uint8_t {
  kOk = 0,        // OK, ALLOW, LIST
  kDenied = 1,    // DENY
  kError = 2,     // ERR, or a command line that is wrong
  kNoDaemon = 3,  // nobody answers
};

class ReplyPrinter {
 public:
  explicit ReplyPrinter(bool json) : json_(json) {}

  void print(const Reply& reply);
  // A line that is not a reply, for the person at a prompt.
  void say(std::string_view line);
  // The same about what went wrong, on standard error.
  void complain(std::string_view line);
  void flush();

  ExitStatus worst() const { return worst_; }

 private:
  bool json_;
  ExitStatus worst_ = ExitStatus::kOk;
};

}  // namespace toll::daemon
