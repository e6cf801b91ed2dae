// What a loop does when it cannot accept: which errors end an accept, which concern one connection
// only, and the waiting room for listeners while the process is out of descriptors or memory.
// Without the pause a full queue of connections nobody can take would keep the loop spinning.
// Belongs to a loop and its thread; reads the monotonic clock only while somebody waits.
#pragma once

#include <cstdint>

#include "net/completion_list.h"

namespace toll::net {

enum class AcceptFailure : uint8_t {
  kOneConnection,  // that one is gone, the next may be well
  kOutOfRoom,      // descriptors or memory; another try is due a little later
  kFinal,          // the listener is of no use
};

// REQUIRES: error > 0, an errno of accept4(2).
AcceptFailure accept_failure_of(int error);

class AcceptPause {
 public:
  void add(Completion& completion);

  // The most a turn may sleep: `timeout_ns` (negative: no limit), or until somebody is due.
  int64_t clip(int64_t timeout_ns) const;

  // Makes everybody due: somebody in here was stopped.
  void hasten() { due_ns_ = 0; }

  // Everybody, if it is time; else an empty list.
  CompletionList take_due();

 private:
  CompletionList waiting_;
  int64_t due_ns_ = 0;
};

}  // namespace toll::net
