#include "net/uring_loop.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

#include "net/limits.h"
#include "net/ring_restrictions.h"

namespace toll::net {

namespace {

// A completion's address and, in its low bits, what it does. Cancellations carry 0: how they end
// is of no interest, what they cancel tells.
constexpr uint64_t kOperationMask = 7;
constexpr uint64_t kDoorbellOperation = kOperationMask;
static_assert(alignof(Completion) > kOperationMask);
static_assert(static_cast<uint64_t>(Operation::kConnect) < kDoorbellOperation);

uint64_t user_data_of(const Completion& completion, Operation operation) {
  return reinterpret_cast<uintptr_t>(&completion) | static_cast<uint64_t>(operation);
}

Completion& completion_of(uint64_t user_data) {
  return *reinterpret_cast<Completion*>(user_data & ~kOperationMask);
}

std::string why_no_ring(int error) {
  switch (error) {
    case ENOSYS:
      return "this kernel has no io_uring: Linux 6.1 or later is needed";
    case EINVAL:
      return "this kernel's io_uring is too old: Linux 6.1 or later is needed";
    case EPERM:
    case EACCES:
      return fmt::format(
          "io_uring forbidden: {} (by seccomp, as containers do it, or by "
          "kernel.io_uring_disabled; allow the io_uring_* system calls, or try "
          "'sysctl -w kernel.io_uring_disabled=0')",
          std::strerror(error));
    case ENOMEM:
      return "io_uring: out of memory, or past the limit on locked memory (raise LimitMEMLOCK)";
    case EMFILE:
    case ENFILE:
      return "io_uring: out of file descriptors (raise LimitNOFILE)";
    default:
      return fmt::format("io_uring cannot be set up: {}", std::strerror(error));
  }
}

// An answer of io_uring_enter that leaves nothing to go on with: events are lost, or we called it
// wrongly. Going on would hang or spin.
[[noreturn]] void give_up(int error) {
  throw std::system_error(error, std::generic_category(), "io_uring_enter");
}

// What enter may answer and no harm done: a signal, the time is over, or the kernel wants
// completions taken out, or memory, before it accepts more.
bool is_passing(int error) {
  return error == EINTR || error == ETIME || error == EBUSY || error == EAGAIN;
}

}  // namespace

std::expected<std::unique_ptr<Loop>, std::string> UringLoop::make(const LoopSettings& settings) {
  std::unique_ptr<UringLoop> loop(new UringLoop);
  if (std::string why = loop->open(settings); !why.empty()) return std::unexpected(std::move(why));
  return loop;
}

// Empty when all is well.
std::string UringLoop::open(const LoopSettings& settings) {
  io_uring_params params{};
  // NO_SQARRAY must never join these: liburing 2.3 would write over the ring's header.
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |
                 IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_R_DISABLED;
  params.cq_entries = std::max(settings.completion_entries, settings.submission_entries);
  if (const int result = io_uring_queue_init_params(settings.submission_entries, &ring_, &params);
      result < 0) {
    return why_no_ring(-result);
  }
  ring_made_ = true;
  constexpr uint32_t kNeeded = IORING_FEAT_EXT_ARG | IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE;
  if ((params.features & kNeeded) != kNeeded) return why_no_ring(EINVAL);
  // Both only make things cheaper or safer; a kernel that declines is good enough.
  io_uring_register_ring_fd(&ring_);
  io_uring_ring_dontfork(&ring_);
  if (const int error =
          buffers_.open(ring_, settings.receive_buffers, settings.receive_buffer_bytes);
      error != 0) {
    return why_no_ring(error);
  }
  if (const int error = restrict_and_enable(ring_); error != 0) return why_no_ring(error);
  reaped_.reserve(params.cq_entries);
  arm_doorbell();
  return {};
}

// Cancelling before the exit lets go of sockets now and not some time later, so that a listener's
// name is free at once. Nothing of a completion is touched: their owners may be gone.
UringLoop::~UringLoop() {
  if (!ring_made_) return;
  io_uring_sync_cancel_reg everything{};
  everything.fd = -1;
  everything.flags = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL;
  everything.timeout.tv_sec = 1;
  io_uring_register_sync_cancel(&ring_, &everything);
  for (reap(); !reaped_.empty(); reap()) {
    for (const Reaped& reaped : reaped_) {
      const bool is_accept =
          (reaped.user_data & kOperationMask) == static_cast<uint64_t>(Operation::kAccept);
      if (is_accept && reaped.result >= 0) ::close(reaped.result);
    }
    reaped_.clear();
    io_uring_get_events(&ring_);
  }
  io_uring_queue_exit(&ring_);
}

void UringLoop::accept(int listener, Completion& completion) {
  begin(Operation::kAccept, listener, completion);
  arm_accept(completion);
}

void UringLoop::receive(int fd, Completion& completion) {
  begin(Operation::kReceive, fd, completion);
  arm_receive(completion);
}

void UringLoop::send(int fd, std::span<const char> bytes, Completion& completion) {
  assert(!bytes.empty());
  begin(Operation::kSend, fd, completion);
  completion.sending_ = bytes;
  arm_send(completion);
}

void UringLoop::connect(int fd, const sockaddr* address, socklen_t length, Completion& completion) {
  begin(Operation::kConnect, fd, completion);
  io_uring_sqe* sqe = entry();
  io_uring_prep_connect(sqe, fd, address, length);
  sqe->user_data = user_data_of(completion, Operation::kConnect);
  // The kernel copies the address when it is given the entry; connecting is rare enough for a call.
  while (io_uring_sq_ready(&ring_) > 0) submit_some();
}

void UringLoop::stop(Completion& completion) {
  if (!completion.in_flight_ || completion.stopping_) return;
  assert(completion.operation_ != Operation::kSend);
  completion.stopping_ = true;
  if (completion.listed_) {
    // It waits in here, not in the kernel. Who starves is looked at in the same turn anyway.
    pause_.hasten();
    return;
  }
  io_uring_sqe* sqe = entry();
  io_uring_prep_cancel64(sqe, user_data_of(completion, completion.operation_), 0);
  sqe->user_data = 0;
}

void UringLoop::run_once(int64_t timeout_ns) {
  ++stats_.turns;
  const bool ran_handlers = resume_accepts();
  enter(ran_handlers ? 0 : pause_.clip(timeout_ns));
  if (io_uring_cq_has_overflow(&ring_)) ++stats_.overflows;
  reap();
  // By index: entry() may have to reap while a handler runs.
  for (size_t i = 0; i < reaped_.size(); ++i) {
    const Reaped reaped = reaped_[i];
    dispatch(reaped);
  }
  reaped_.clear();
  buffers_.publish();
  rearm_starved(hungry_);
  rearm_starved(fed_);
}

// The next free submission entry; makes room by submitting when there is none.
io_uring_sqe* UringLoop::entry() {
  for (;;) {
    if (io_uring_sqe* sqe = io_uring_get_sqe(&ring_)) return sqe;
    submit_some();
  }
}

void UringLoop::submit_some() {
  const int result = io_uring_submit(&ring_);
  if (result >= 0) return;
  if (!is_passing(-result)) give_up(-result);
  if (result != -EINTR) {
    io_uring_get_events(&ring_);
    reap();
  }
}

void UringLoop::enter(int64_t timeout_ns) {
  int result = 0;
  if (timeout_ns == 0) {
    result = io_uring_submit_and_get_events(&ring_);
  } else {
    constexpr int64_t kSecond = 1'000'000'000;
    __kernel_timespec limit{timeout_ns / kSecond, timeout_ns % kSecond};
    io_uring_cqe* first = nullptr;
    result = io_uring_submit_and_wait_timeout(&ring_, &first, 1, timeout_ns < 0 ? nullptr : &limit,
                                              nullptr);
  }
  if (result < 0 && !is_passing(-result)) give_up(-result);
}

// Adds what is in the completion ring to reaped_ and gives the ring's room back to the kernel.
void UringLoop::reap() {
  unsigned head = 0;
  unsigned count = 0;
  io_uring_cqe* cqe = nullptr;
  io_uring_for_each_cqe(&ring_, head, cqe) {
    reaped_.push_back({cqe->user_data, cqe->res, cqe->flags});
    ++count;
  }
  io_uring_cq_advance(&ring_, count);
}

void UringLoop::dispatch(const Reaped& reaped) {
  const uint64_t operation = reaped.user_data & kOperationMask;
  const bool armed = (reaped.flags & IORING_CQE_F_MORE) != 0;
  if (operation == kDoorbellOperation) return arm_doorbell();
  switch (static_cast<Operation>(operation)) {
    case Operation::kNone:
      return;
    case Operation::kAccept:
      return accepted(completion_of(reaped.user_data), reaped.result, armed);
    case Operation::kReceive:
      return received(completion_of(reaped.user_data), reaped, armed);
    case Operation::kSend:
      return sent(completion_of(reaped.user_data), reaped.result);
    case Operation::kConnect:
      return connected(completion_of(reaped.user_data), reaped.result);
  }
}

void UringLoop::begin(Operation operation, int fd, Completion& completion) {
  assert(!completion.in_flight_ && !completion.listed_ && fd >= 0);
  completion.operation_ = operation;
  completion.fd_ = fd;
  completion.in_flight_ = true;
  completion.stopping_ = false;
}

void UringLoop::arm_doorbell() {
  io_uring_sqe* sqe = entry();
  io_uring_prep_read(sqe, doorbell_.fd(), &doorbell_count_, sizeof doorbell_count_, 0);
  sqe->user_data = kDoorbellOperation;
}

void UringLoop::arm_accept(Completion& completion) {
  io_uring_sqe* sqe = entry();
  io_uring_prep_multishot_accept(sqe, completion.fd_, nullptr, nullptr,
                                 SOCK_NONBLOCK | SOCK_CLOEXEC);
  sqe->user_data = user_data_of(completion, Operation::kAccept);
}

// Polling first saves a vain attempt on a socket that is mostly idle, and keeps one that has
// nothing to receive from failing at once when the buffers are out.
void UringLoop::arm_receive(Completion& completion) {
  completion.fed_ = false;
  completion.settled_ = false;
  completion.error_ = 0;
  io_uring_sqe* sqe = entry();
  io_uring_prep_recv_multishot(sqe, completion.fd_, nullptr, 0, 0);
  sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = BufferRing::kGroup;
  sqe->user_data = user_data_of(completion, Operation::kReceive);
}

void UringLoop::arm_send(Completion& completion) {
  io_uring_sqe* sqe = entry();
  io_uring_prep_send(sqe, completion.fd_, completion.sending_.data(), completion.sending_.size(),
                     MSG_NOSIGNAL);
  sqe->user_data = user_data_of(completion, Operation::kSend);
}

// `armed`: the kernel keeps the operation going.
void UringLoop::accepted(Completion& completion, int32_t result, bool armed) {
  bool pause = false;
  if (result >= 0) {
    tell(completion, {.more = true, .value = result});
  } else {
    const AcceptFailure failure = accept_failure_of(-result);
    if (failure == AcceptFailure::kFinal) {
      return finish(completion, {.status = io_status_of(-result)});
    }
    if (failure == AcceptFailure::kOutOfRoom) {
      pause = true;
      tell(completion, {.status = io_status_of(-result), .more = true});
    }
  }
  if (armed) return;
  if (completion.stopping_) return finish(completion, {.status = IoStatus::kCancelled});
  if (pause) return pause_.add(completion);
  arm_accept(completion);
}

void UringLoop::received(Completion& completion, const Reaped& reaped, bool armed) {
  const bool has_buffer = (reaped.flags & IORING_CQE_F_BUFFER) != 0;
  const auto id = static_cast<uint16_t>(reaped.flags >> IORING_CQE_BUFFER_SHIFT);
  if (reaped.result > 0) {
    assert(has_buffer);
    completion.fed_ = true;
    tell(completion, {.more = true, .data = buffers_.data(id, static_cast<size_t>(reaped.result))});
  }
  if (has_buffer) buffers_.give_back(id);
  if (armed) {
    const bool quiet = (reaped.flags & IORING_CQE_F_SOCK_NONEMPTY) == 0;
    if (quiet && !completion.settled_) settle(completion);
    return;
  }
  if (reaped.result == 0) {
    const int lost = completion.error_;
    return finish(completion, {.status = lost == 0 ? IoStatus::kEnd : io_status_of(lost)});
  }
  const int error = reaped.result < 0 ? -reaped.result : 0;
  if (error != 0 && error != ENOBUFS && error != EAGAIN && error != EINTR) {
    return finish(completion, {.status = io_status_of(error)});
  }
  if (completion.stopping_) return finish(completion, {.status = IoStatus::kCancelled});
  if (error != ENOBUFS) return arm_receive(completion);
  ++stats_.starved;
  (completion.fed_ ? fed_ : hungry_).push(completion);
}

// Looks for an end that the kernel will not tell. On a Unix socket that had data and its end
// already when it was armed, Linux 6.17 and later take the data, see that no more is queued, and
// wait for a wake-up that was long ago. What ends after the arming wakes; so one look, when the
// data that was there has been taken, is enough. Shutting down a side that has ended changes
// nothing but to wake.
void UringLoop::settle(Completion& completion) {
  completion.settled_ = true;
  char byte = 0;
  const ssize_t peeked = ::recv(completion.fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (peeked > 0 || (peeked < 0 && (errno == EAGAIN || errno == EINTR))) return;
  // Looking has taken a pending error from the socket: it is told in place of the end.
  if (peeked < 0) completion.error_ = errno;
  ::shutdown(completion.fd_, SHUT_RD);
}

void UringLoop::sent(Completion& completion, int32_t result) {
  if (result >= 0) return finish(completion, {.value = result});
  if (result == -EAGAIN || result == -EINTR) return arm_send(completion);
  finish(completion, {.status = io_status_of(-result)});
}

void UringLoop::connected(Completion& completion, int32_t result) {
  if (result >= 0) return finish(completion, {});
  if (result == -EAGAIN) return finish(completion, {.status = IoStatus::kTimedOut});
  if (result == -EINTR) return finish(completion, {.status = IoStatus::kCancelled});
  finish(completion, {.status = io_status_of(-result)});
}

void UringLoop::tell(Completion& completion, const Event& event) {
  assert(completion.in_flight_ && event.more);
  ++stats_.events;
  completion.complete(event);
}

void UringLoop::finish(Completion& completion, const Event& event) {
  assert(completion.in_flight_ && !completion.listed_ && !event.more);
  completion.in_flight_ = false;
  completion.stopping_ = false;
  ++stats_.events;
  completion.complete(event);
}

// Whether a handler ran, so that the turn must not sleep on it.
bool UringLoop::resume_accepts() {
  bool ran_handlers = false;
  CompletionList due = pause_.take_due();
  while (Completion* completion = due.pop()) {
    if (completion->stopping_) {
      finish(*completion, {.status = IoStatus::kCancelled});
      ran_handlers = true;
    } else {
      arm_accept(*completion);
    }
  }
  return ran_handlers;
}

void UringLoop::rearm_starved(CompletionList& starved) {
  while (Completion* completion = starved.pop()) {
    if (completion->stopping_) {
      finish(*completion, {.status = IoStatus::kCancelled});
    } else {
      arm_receive(*completion);
    }
  }
}

}  // namespace toll::net
