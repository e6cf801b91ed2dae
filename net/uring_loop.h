// The loop on io_uring: one ring for one thread, one entry into the kernel a turn.
//
//   start an operation -> a submission entry           run_once():
//                                                        submit and wait    (the one system call)
//                                                        copy completions out of the ring
//                                                        run the handlers
//                                                        return the buffers, arm again who starved
//
// Accepts and receives are multishot: armed once, they complete again and again. The kernel may end
// them at any completion; whether it goes on is read from each, and they are armed again in here,
// so that the caller sees an operation that goes on. Must be made on the thread that uses it (the
// ring has a single issuer). Linux 6.1 or later.
#pragma once

#include <liburing.h>
#include <vector>

#include "net/accept_pause.h"
#include "net/buffer_ring.h"
#include "net/completion_list.h"
#include "net/kernel_loop.h"

namespace toll::net {

class UringLoop final : public KernelLoop {
 public:
  // See Loop::make().
  static std::expected<std::unique_ptr<Loop>, std::string> make(const LoopSettings& settings);
  // Ends whatever is in flight without telling anybody.
  ~UringLoop() override;

  void accept(int listener, Completion& completion) override;
  void receive(int fd, Completion& completion) override;
  void send(int fd, std::span<const char> bytes, Completion& completion) override;
  void connect(int fd, const sockaddr* address, socklen_t length, Completion& completion) override;
  void stop(Completion& completion) override;
  void run_once(int64_t timeout_ns) override;
  Backend backend() const override { return Backend::kUring; }

 private:
  // One completion, copied out of the ring.
  struct Reaped {
    uint64_t user_data;
    int32_t result;
    uint32_t flags;
  };

  UringLoop() = default;
  std::string open(const LoopSettings& settings);

  io_uring_sqe* entry();
  void submit_some();
  void enter(int64_t timeout_ns);
  void reap();
  void dispatch(const Reaped& reaped);

  void begin(Operation operation, int fd, Completion& completion);
  void arm_doorbell();
  void arm_accept(Completion& completion);
  void arm_receive(Completion& completion);
  void arm_send(Completion& completion);

  void accepted(Completion& completion, int32_t result, bool armed);
  void received(Completion& completion, const Reaped& reaped, bool armed);
  void settle(Completion& completion);
  void sent(Completion& completion, int32_t result);
  void connected(Completion& completion, int32_t result);
  void tell(Completion& completion, const Event& event);
  void finish(Completion& completion, const Event& event);

  bool resume_accepts();
  void rearm_starved(CompletionList& starved);

  io_uring ring_{};
  bool ring_made_ = false;
  BufferRing buffers_;
  std::vector<Reaped> reaped_;
  CompletionList hungry_;  // starved and got nothing since they were armed: they go first
  CompletionList fed_;     // starved after they got something
  AcceptPause pause_;
  uint64_t doorbell_count_ = 0;  // the kernel writes here; its value means nothing
};

}  // namespace toll::net
