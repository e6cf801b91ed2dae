// The loop on epoll, for kernels and containers that forbid io_uring, and for the thread sanitizer.
//
// It keeps io_uring's manners: nothing is tried inside the call that starts it. What can be tried
// at once (sends, connects that succeeded, stops) waits on the ready list and is seen to at the end
// of the turn; the rest waits for epoll, level-triggered. All receives go through one buffer.
// Belongs to one thread.
#pragma once

#include <array>
#include <sys/epoll.h>
#include <vector>

#include "net/accept_pause.h"
#include "net/completion_list.h"
#include "net/kernel_loop.h"
#include "net/limits.h"

namespace toll::net {

class EpollLoop final : public KernelLoop {
 public:
  // See Loop::make().
  static std::expected<std::unique_ptr<Loop>, std::string> make(const LoopSettings& settings);
  // Forgets whatever is in flight without telling anybody.
  ~EpollLoop() override;

  void accept(int listener, Completion& completion) override;
  void receive(int fd, Completion& completion) override;
  void send(int fd, std::span<const char> bytes, Completion& completion) override;
  void connect(int fd, const sockaddr* address, socklen_t length, Completion& completion) override;
  void stop(Completion& completion) override;
  void run_once(int64_t timeout_ns) override;
  Backend backend() const override { return Backend::kEpoll; }

 private:
  // Who waits for a descriptor, and what epoll has been asked about it.
  struct Slot {
    Completion* reader = nullptr;
    Completion* writer = nullptr;
    uint32_t asked = 0;
    uint32_t generation = 0;  // of this use of the number: tells stale events apart
  };

  explicit EpollLoop(const LoopSettings& settings);

  void begin(Operation operation, int fd, Completion& completion);
  Slot& slot_of(int fd);
  void await_input(Completion& completion);
  void await_output(Completion& completion);
  void leave_slot(Completion& completion);
  int ask(int fd);

  int wait(int64_t timeout_ns);
  void dispatch(const epoll_event& event);
  void accept_some(Completion& listener);
  void receive_some(Completion& completion);
  void try_send(Completion& completion);
  void run_ready();
  void run(Completion& completion);
  bool resume_accepts();

  void tell(Completion& completion, const Event& event);
  void finish(Completion& completion, Event event);

  int epoll_ = -1;
  std::vector<Slot> slots_;  // by descriptor
  const size_t receive_bytes_;
  std::vector<char> buffer_;  // receive_bytes_, and kReadSlackBytes behind them
  std::array<epoll_event, kEpollEventsMax> events_;
  CompletionList ready_;
  AcceptPause pause_;
  bool has_pwait2_ = true;  // epoll_pwait2: Linux 5.11, unless a filter forbids it
};

}  // namespace toll::net
