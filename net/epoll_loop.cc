#include "net/epoll_loop.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <climits>
#include <cstring>
#include <ctime>
#include <fmt/format.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace toll::net {

namespace {

constexpr uint64_t kDoorbellEvent = ~uint64_t{0};

uint64_t user_data_of(int fd, uint32_t generation) {
  return uint64_t{generation} << 32 | static_cast<uint32_t>(fd);
}

}  // namespace

std::expected<std::unique_ptr<Loop>, std::string> EpollLoop::make(const LoopSettings& settings) {
  std::unique_ptr<EpollLoop> loop(new EpollLoop(settings));
  loop->epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kDoorbellEvent;
  if (loop->epoll_ < 0 ||
      ::epoll_ctl(loop->epoll_, EPOLL_CTL_ADD, loop->doorbell_.fd(), &event) != 0) {
    return std::unexpected(
        fmt::format("epoll cannot be set up: {} (raise LimitNOFILE or fs.epoll.max_user_watches if "
                    "it is a limit)",
                    std::strerror(errno)));
  }
  return loop;
}

EpollLoop::EpollLoop(const LoopSettings& settings)
    : receive_bytes_(settings.receive_buffer_bytes), buffer_(receive_bytes_ + kReadSlackBytes) {
  assert(settings.receive_buffer_bytes > 0);
}

EpollLoop::~EpollLoop() {
  if (epoll_ >= 0) ::close(epoll_);
}

void EpollLoop::accept(int listener, Completion& completion) {
  begin(Operation::kAccept, listener, completion);
  await_input(completion);
}

void EpollLoop::receive(int fd, Completion& completion) {
  begin(Operation::kReceive, fd, completion);
  await_input(completion);
}

void EpollLoop::send(int fd, std::span<const char> bytes, Completion& completion) {
  assert(!bytes.empty());
  begin(Operation::kSend, fd, completion);
  completion.sending_ = bytes;
  ready_.push(completion);
}

void EpollLoop::connect(int fd, const sockaddr* address, socklen_t length, Completion& completion) {
  begin(Operation::kConnect, fd, completion);
  int result = 0;
  do {
    result = ::connect(fd, address, length);
  } while (result != 0 && errno == EINTR);
  if (result != 0 && errno == EINPROGRESS) return await_output(completion);
  if (result != 0) completion.error_ = errno == EAGAIN ? ETIMEDOUT : errno;
  ready_.push(completion);
}

void EpollLoop::stop(Completion& completion) {
  if (!completion.in_flight_ || completion.stopping_) return;
  assert(completion.operation_ != Operation::kSend);
  completion.stopping_ = true;
  leave_slot(completion);
  if (completion.listed_) {
    pause_.hasten();
  } else {
    ready_.push(completion);
  }
}

void EpollLoop::run_once(int64_t timeout_ns) {
  ++stats_.turns;
  const bool ran_handlers = resume_accepts();
  const bool busy = ran_handlers || !ready_.empty();
  const int count = wait(busy ? 0 : pause_.clip(timeout_ns));
  for (int i = 0; i < count; ++i) dispatch(events_[static_cast<size_t>(i)]);
  run_ready();
}

void EpollLoop::begin(Operation operation, int fd, Completion& completion) {
  assert(!completion.in_flight_ && !completion.listed_ && fd >= 0);
  completion.operation_ = operation;
  completion.fd_ = fd;
  completion.error_ = 0;
  completion.in_flight_ = true;
  completion.stopping_ = false;
}

EpollLoop::Slot& EpollLoop::slot_of(int fd) {
  const auto index = static_cast<size_t>(fd);
  if (index >= slots_.size()) slots_.resize(std::max(index + 1, slots_.size() * 2));
  return slots_[index];
}

void EpollLoop::await_input(Completion& completion) {
  Slot& slot = slot_of(completion.fd_);
  assert(slot.reader == nullptr);
  slot.reader = &completion;
  completion.error_ = ask(completion.fd_);
  if (completion.error_ != 0) ready_.push(completion);
}

void EpollLoop::await_output(Completion& completion) {
  Slot& slot = slot_of(completion.fd_);
  assert(slot.writer == nullptr);
  slot.writer = &completion;
  completion.error_ = ask(completion.fd_);
  if (completion.error_ != 0) ready_.push(completion);
}

void EpollLoop::leave_slot(Completion& completion) {
  Slot& slot = slot_of(completion.fd_);
  if (slot.reader == &completion) {
    slot.reader = nullptr;
  } else if (slot.writer == &completion) {
    slot.writer = nullptr;
  } else {
    return;
  }
  ask(completion.fd_);
}

// Brings epoll up to date with who waits. 0, or an errno, and then nothing is asked.
int EpollLoop::ask(int fd) {
  Slot& slot = slot_of(fd);
  const uint32_t wanted = (slot.reader != nullptr ? uint32_t{EPOLLIN} : 0) |
                          (slot.writer != nullptr ? uint32_t{EPOLLOUT} : 0);
  if (wanted == slot.asked) return 0;
  int how = EPOLL_CTL_MOD;
  if (wanted == 0) how = EPOLL_CTL_DEL;
  if (slot.asked == 0) {
    how = EPOLL_CTL_ADD;
    ++slot.generation;
  }
  epoll_event event{};
  event.events = wanted;
  event.data.u64 = user_data_of(fd, slot.generation);
  const int error = ::epoll_ctl(epoll_, how, fd, &event) == 0 ? 0 : errno;
  slot.asked = error == 0 ? wanted : 0;
  return error;
}

// How many events there are; a signal is a wait that found none.
int EpollLoop::wait(int64_t timeout_ns) {
  constexpr int64_t kSecond = 1'000'000'000;
  constexpr int64_t kMillisecond = 1'000'000;
  int count = -1;
  if (has_pwait2_) {
    const timespec limit{timeout_ns / kSecond, timeout_ns % kSecond};
    count = ::epoll_pwait2(epoll_, events_.data(), kEpollEventsMax,
                           timeout_ns < 0 ? nullptr : &limit, nullptr);
    if (count < 0 && (errno == ENOSYS || errno == EPERM)) has_pwait2_ = false;
  }
  if (!has_pwait2_) {
    // Rounded up: waking before the time would spin until it comes.
    const int64_t rounded = (timeout_ns + kMillisecond - 1) / kMillisecond;
    count =
        ::epoll_wait(epoll_, events_.data(), kEpollEventsMax,
                     timeout_ns < 0 ? -1 : static_cast<int>(std::min<int64_t>(rounded, INT_MAX)));
  }
  if (count >= 0) return count;
  // Anything else: we called it wrongly, and going on would spin.
  if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "epoll_wait");
  return 0;
}

void EpollLoop::dispatch(const epoll_event& event) {
  if (event.data.u64 == kDoorbellEvent) {
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = ::read(doorbell_.fd(), &count, sizeof count);
    return;
  }
  const int fd = static_cast<int>(event.data.u64 & 0xffffffff);
  const auto generation = static_cast<uint32_t>(event.data.u64 >> 32);
  constexpr uint32_t kBroken = EPOLLERR | EPOLLHUP;
  // Looked up anew each time: a handler may have ended the other operation, closed the descriptor
  // and made another of the same number.
  if ((event.events & (EPOLLIN | kBroken)) != 0 && slot_of(fd).generation == generation) {
    if (Completion* reader = slot_of(fd).reader) {
      reader->operation_ == Operation::kAccept ? accept_some(*reader) : receive_some(*reader);
    }
  }
  if ((event.events & (EPOLLOUT | kBroken)) != 0 && slot_of(fd).generation == generation) {
    if (Completion* writer = slot_of(fd).writer) run(*writer);
  }
}

void EpollLoop::accept_some(Completion& listener) {
  for (int i = 0; i < kAcceptsPerTurnMax && !listener.stopping_; ++i) {
    const int fd = ::accept4(listener.fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      tell(listener, {.more = true, .value = fd});
      continue;
    }
    const int error = errno;
    if (error == EAGAIN) return;
    const AcceptFailure failure = accept_failure_of(error);
    if (failure == AcceptFailure::kOneConnection) continue;
    if (failure == AcceptFailure::kFinal) return finish(listener, {.status = io_status_of(error)});
    tell(listener, {.status = io_status_of(error), .more = true});
    if (!listener.stopping_) {
      leave_slot(listener);
      pause_.add(listener);
    }
    return;
  }
}

void EpollLoop::receive_some(Completion& completion) {
  for (int i = 0; i < kReceivesPerTurnMax && !completion.stopping_; ++i) {
    const ssize_t got = ::recv(completion.fd_, buffer_.data(), receive_bytes_, MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return;
    if (got < 0) return finish(completion, {.status = io_status_of(errno)});
    if (got == 0) return finish(completion, {.status = IoStatus::kEnd});
    const auto length = static_cast<size_t>(got);
    tell(completion, {.more = true, .data = std::span(buffer_.data(), length)});
    if (length < receive_bytes_) return;
  }
}

void EpollLoop::try_send(Completion& completion) {
  const std::span<const char> bytes = completion.sending_;
  ssize_t taken = -1;
  do {
    taken = ::send(completion.fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (taken < 0 && errno == EINTR);
  if (taken >= 0) return finish(completion, {.value = static_cast<int32_t>(taken)});
  if (errno != EAGAIN) return finish(completion, {.status = io_status_of(errno)});
  if (slot_of(completion.fd_).writer != &completion) await_output(completion);
}

// Those that were ready when it began; what becomes ready meanwhile has its turn next.
void EpollLoop::run_ready() {
  CompletionList batch = std::move(ready_);
  while (Completion* completion = batch.pop()) run(*completion);
}

// A completion from the ready list, or one whose descriptor can be written.
void EpollLoop::run(Completion& completion) {
  if (completion.error_ != 0) {
    return finish(completion, {.status = io_status_of(completion.error_)});
  }
  if (completion.stopping_) return finish(completion, {.status = IoStatus::kCancelled});
  if (completion.operation_ == Operation::kSend) return try_send(completion);
  assert(completion.operation_ == Operation::kConnect);
  int error = 0;
  socklen_t length = sizeof error;
  if (::getsockopt(completion.fd_, SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
  finish(completion, {.status = error == 0 ? IoStatus::kOk : io_status_of(error)});
}

// Whether a handler ran, so that the turn must not sleep on it.
bool EpollLoop::resume_accepts() {
  bool ran_handlers = false;
  CompletionList due = pause_.take_due();
  while (Completion* completion = due.pop()) {
    if (completion->stopping_) {
      finish(*completion, {.status = IoStatus::kCancelled});
      ran_handlers = true;
    } else {
      await_input(*completion);
    }
  }
  return ran_handlers;
}

void EpollLoop::tell(Completion& completion, const Event& event) {
  assert(completion.in_flight_ && event.more);
  ++stats_.events;
  completion.complete(event);
}

void EpollLoop::finish(Completion& completion, Event event) {
  assert(completion.in_flight_ && !completion.listed_ && !event.more);
  leave_slot(completion);
  completion.in_flight_ = false;
  completion.stopping_ = false;
  ++stats_.events;
  completion.complete(event);
}

}  // namespace toll::net
