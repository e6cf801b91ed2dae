// The event loop of one thread: a small set of operations on file descriptors, and what became of
// them.
//
// A Loop is made, used and destroyed on one thread; only its doorbell may be rung from others. All
// sockets come from it and go by it: what is a descriptor here need not be one of the kernel's.
// Each operation takes a Completion that the caller owns and that must not move or die until its
// last event: the kernel knows its address. Events come one after the other, from run_once() and
// from nowhere else: an operation never completes inside the call that starts it, and handlers do
// not nest. A handler may start and stop operations and must not block.
//
// Three back-ends: io_uring (net/uring_loop.h) and epoll (net/epoll_loop.h), which pass the same
// suite (tests/unit/loop_test.cc), and the simulator's, without a kernel (tests/sim/sim_loop.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/types.h>

#include "net/io_status.h"
#include "net/peer.h"

namespace toll::sim {
class SimLoop;
}

namespace toll::net {

// One thing that happened to an operation.
struct Event {
  IoStatus status = IoStatus::kOk;
  bool more = false;  // the operation goes on and this completion will be called again
  int32_t value = 0;  // accept: the new descriptor; send: bytes taken
  // receive: what came; ours to change, valid until complete() returns. kReadSlackBytes behind it
  // may be read.
  std::span<char> data = {};
};

// What a Completion is used for at the moment.
enum class Operation : uint8_t { kNone, kAccept, kReceive, kSend, kConnect };

class Completion;

// What a back-end keeps of an operation, and nobody else touches. Apart from Completion, whose
// destructor would otherwise be open to these friends.
class OperationState {
 public:
  // True from the call that started an operation until its event with more = false.
  bool in_flight() const { return in_flight_; }

 private:
  friend class UringLoop;
  friend class EpollLoop;
  friend class CompletionList;
  friend class toll::sim::SimLoop;
  Operation operation_ = Operation::kNone;
  bool in_flight_ = false;
  bool stopping_ = false;
  bool listed_ = false;   // on a CompletionList, which owns next_
  bool fed_ = false;      // a receive that got something since it was armed
  bool settled_ = false;  // a receive that was looked after once since it was armed
  int fd_ = -1;
  int error_ = 0;  // an errno that is still to be told
  Completion* next_ = nullptr;
  std::span<const char> sending_;
};

class Completion : public OperationState {
 public:
  Completion() = default;
  Completion(const Completion&) = delete;
  Completion& operator=(const Completion&) = delete;

  virtual void complete(const Event& event) = 0;

 protected:
  ~Completion() = default;  // owned by the object it belongs to, never deleted through here
};

// Wakes a loop from any thread. Ring it once for a whole batch, and only if the loop sleeps: the
// mailbox (net/post_office.h) knows.
class Doorbell {
 public:
  virtual void ring() noexcept = 0;  // any thread

 protected:
  ~Doorbell() = default;  // belongs to its loop, or to whoever waits for it
};

enum class Backend : uint8_t { kUring, kEpoll, kSimulated };
std::string_view to_string(Backend backend);

// Production figures; tests shrink them so that overflow, ENOBUFS and short sends are common.
struct LoopSettings {
  uint32_t submission_entries = 1024;
  uint32_t completion_entries = 8192;
  uint32_t receive_buffers = 512;  // a power of two, at most 32768
  uint32_t receive_buffer_bytes = 4096;
};

struct LoopStats {
  uint64_t turns = 0;
  uint64_t events = 0;
  uint64_t starved = 0;    // receives that found the buffer ring empty and were armed again
  uint64_t overflows = 0;  // turns in which the kernel had to park completions
};

class Loop {
 public:
  // The loop of that kind, one of the kernel's. Errors: a sentence that says what failed and what
  // to do (io_uring forbidden by seccomp or sysctl, too old, out of memory). To be used on the
  // calling thread.
  static std::expected<std::unique_ptr<Loop>, std::string> make(Backend backend,
                                                                const LoopSettings& settings = {});
  virtual ~Loop() = default;
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Accepts until stopped: an event per connection, value = a new non-blocking, close-on-exec
  // descriptor that is the handler's. The listener must be non-blocking. kNoDescriptors and
  // kNoMemory come with more = true: accepting then pauses for at least a turn and some 10 ms, so
  // that a listener nobody can be accepted from does not spin.
  virtual void accept(int listener, Completion& completion) = 0;

  // Receives until the end or stop(): an event per piece of data. The last event has more = false,
  // no data, and kEnd, kCancelled or an error.
  virtual void receive(int fd, Completion& completion) = 0;

  // Sends from `bytes`, which must stay as they are until the event. One event; value may be less
  // than asked. At most one send in flight per descriptor, or the stream is torn. It cannot be
  // stopped; shutdown(2) ends it. REQUIRES: bytes not empty.
  virtual void send(int fd, std::span<const char> bytes, Completion& completion) = 0;

  // A new non-blocking stream socket of that family (AF_UNIX, AF_INET, AF_INET6), with what a
  // long-lived TCP connection needs set. Errors: an errno.
  virtual std::expected<int, int> open_socket(int family) = 0;

  // Connects a socket of open_socket(). `address` may go when the call returns. One event; a Unix
  // listener whose queue is full is kTimedOut: the kernel does not say when there is room.
  virtual void connect(int fd, const sockaddr* address, socklen_t length,
                       Completion& completion) = 0;

  // Asks an accept, receive or connect to end. Its last event still comes (kCancelled, or what
  // happened first). Harmless when nothing is in flight. A descriptor may be closed only when
  // nothing on it is in flight.
  virtual void stop(Completion& completion) = 0;

  // Ends both directions of a connection: operations in flight on it end soon.
  virtual void shut_down(int fd) = 0;

  // REQUIRES: nothing is in flight on `fd`.
  virtual void close(int fd) = 0;

  // For a farewell to who is turned away: the first byte of what has come, which stays there, if
  // anything has; and a send of what fits at once. Neither waits, and errors change nothing.
  virtual std::optional<char> first_byte(int fd) = 0;
  // Has the peer closed its end whole, so that nobody reads what is sent? For who has met the end
  // of what it sent, which alone may mean that it still reads.
  virtual bool hung_up(int fd) = 0;
  virtual void send_at_once(int fd, std::string_view bytes) = 0;

  // Is the peer root, this process' own user, or a member of `group`?
  virtual bool peer_is_privileged(int fd, std::optional<gid_t> group) = 0;
  // Who it is; nothing if that cannot be told.
  virtual std::optional<Peer> peer(int fd) = 0;

  // One turn: submits what was asked for, sleeps until something happens, the doorbell rings or
  // `timeout_ns` is over (0: does not sleep; negative: no limit), and runs the handlers.
  // Throws std::system_error where the kernel leaves nothing to go on with: a defect, and the end.
  virtual void run_once(int64_t timeout_ns) = 0;

  virtual Backend backend() const = 0;
  virtual Doorbell& doorbell() = 0;
  const LoopStats& stats() const { return stats_; }

 protected:
  Loop() = default;
  LoopStats stats_;
};

}  // namespace toll::net
