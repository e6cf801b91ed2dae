#include "tests/sim/sim_loop.h"

#include <arpa/inet.h>
#include <cassert>
#include <netinet/in.h>
#include <sys/un.h>
#include <utility>

#include "net/limits.h"

namespace toll::sim {

using net::Completion;
using net::Event;
using net::Operation;

namespace {

constexpr int64_t kReceiveMost = 4'096;

}  // namespace

SimLoop::SimLoop(Network& network, int place, Random random, std::function<void()> wake)
    : network_(network),
      place_(place),
      random_(random),
      wake_(std::move(wake)),
      buffer_(static_cast<size_t>(kReceiveMost) + net::kReadSlackBytes) {}

std::string SimLoop::name_of(const sockaddr* address) {
  if (address->sa_family == AF_UNIX) return reinterpret_cast<const sockaddr_un*>(address)->sun_path;
  assert(address->sa_family == AF_INET);
  const auto* inet = reinterpret_cast<const sockaddr_in*>(address);
  char text[INET_ADDRSTRLEN] = {};
  inet_ntop(AF_INET, &inet->sin_addr, text, sizeof text);
  return std::string(text) + ":" + std::to_string(ntohs(inet->sin_port));
}

int SimLoop::listen(const std::string& address) {
  return network_.listen(address, place_, *this);
}

void SimLoop::begin(Operation operation, int fd, Completion& completion) {
  assert(!completion.in_flight_ && !completion.listed_);
  completion.operation_ = operation;
  completion.in_flight_ = true;
  completion.stopping_ = false;
  completion.fd_ = fd;
}

void SimLoop::accept(int listener, Completion& completion) {
  begin(Operation::kAccept, listener, completion);
  waiting_[listener].reader = &completion;
  make_ready(&completion);
}

void SimLoop::receive(int fd, Completion& completion) {
  begin(Operation::kReceive, fd, completion);
  assert(waiting_[fd].reader == nullptr);
  waiting_[fd].reader = &completion;
  if (!dead_) network_.hand_over(fd, *this);  // it may have been accepted by another worker
  make_ready(&completion);
}

void SimLoop::send(int fd, std::span<const char> bytes, Completion& completion) {
  assert(!bytes.empty());
  begin(Operation::kSend, fd, completion);
  assert(waiting_[fd].writer == nullptr);
  completion.sending_ = bytes;
  waiting_[fd].writer = &completion;
  make_ready(&completion);
}

std::expected<int, int> SimLoop::open_socket(int) {
  return network_.open(place_, *this);
}

void SimLoop::connect(int fd, const sockaddr* address, socklen_t, Completion& completion) {
  begin(Operation::kConnect, fd, completion);
  waiting_[fd].reader = &completion;
  if (dead_) return make_ready(&completion);
  network_.connect(fd, name_of(address));
}

void SimLoop::stop(Completion& completion) {
  if (!completion.in_flight_ || completion.operation_ == Operation::kSend) return;
  completion.stopping_ = true;
  make_ready(&completion);
}

void SimLoop::shut_down(int fd) {
  if (!dead_) network_.shut_down(fd);
  for (Completion* completion : {waiting_[fd].reader, waiting_[fd].writer}) {
    if (completion != nullptr) make_ready(completion);
  }
}

void SimLoop::close(int fd) {
  const auto found = waiting_.find(fd);
  if (found != waiting_.end()) {
    assert(found->second.reader == nullptr && found->second.writer == nullptr);
    waiting_.erase(found);
  }
  if (!dead_) network_.close(fd);
}

std::optional<char> SimLoop::first_byte(int fd) {
  const int byte = network_.peek(fd);
  if (byte < 0) return std::nullopt;
  return static_cast<char>(byte);
}

void SimLoop::send_at_once(int fd, std::string_view bytes) {
  if (!dead_) (void)network_.send(fd, bytes);
}

void SimLoop::die() {
  dead_ = true;
  for (auto& [socket, waiting] : waiting_) {
    make_ready(waiting.reader);
    make_ready(waiting.writer);
  }
}

// ---- what the network tells ----

void SimLoop::on_readable(int socket) {
  const auto found = waiting_.find(socket);
  if (found != waiting_.end()) make_ready(found->second.reader);
}

void SimLoop::on_writable(int socket) {
  const auto found = waiting_.find(socket);
  if (found != waiting_.end()) make_ready(found->second.writer);
}

void SimLoop::on_connected(int socket, IoStatus status) {
  waiting_[socket].connected = status;
  make_ready(waiting_[socket].reader);
}

void SimLoop::on_accepted(int listener, int socket) {
  Waiting& waiting = waiting_[listener];
  waiting.accepted.push_back(socket);
  make_ready(waiting.reader);
}

void SimLoop::ring() {
  rung_ = true;
  wake_();
}

// ---- a turn ----

void SimLoop::make_ready(Completion* completion) {
  if (completion == nullptr || completion->listed_) return;
  completion->listed_ = true;
  ready_.push_back(completion);
  wake_();
}

// What handlers start is for the next turn. In which order the kernel tells is nobody's business.
void SimLoop::run_once(int64_t) {
  ++stats_.turns;
  rung_ = false;
  std::vector<Completion*> ready = std::exchange(ready_, {});
  for (size_t i = ready.size(); i > 1; --i) std::swap(ready[i - 1], ready[random_.below(i)]);
  // A handler may end what another one waits for, and free it: each is looked at in its turn only
  // while it is in flight, and none in flight is freed.
  for (Completion* completion : ready) {
    completion->listed_ = false;
    run(*completion);
  }
}

void SimLoop::run(Completion& completion) {
  ++stats_.events;
  const auto status = [&]() -> std::optional<IoStatus> {
    const bool last_look = completion.operation_ == Operation::kReceive && random_.chance(30);
    if (completion.stopping_ && !last_look) return IoStatus::kCancelled;
    if (!dead_) return std::nullopt;
    return completion.operation_ == Operation::kAccept ? IoStatus::kCancelled : IoStatus::kPeerGone;
  }();
  if (status) return finish(completion, {.status = *status});
  switch (completion.operation_) {
    case Operation::kAccept:
      return accept_some(completion);
    case Operation::kReceive:
      return receive_some(completion);
    case Operation::kSend:
      return send_some(completion);
    case Operation::kConnect: {
      Waiting& waiting = waiting_[completion.fd_];
      if (waiting.connected) finish(completion, {.status = *waiting.connected});
      return;
    }
    case Operation::kNone:
      assert(false);
  }
}

void SimLoop::accept_some(Completion& completion) {
  const int listener = completion.fd_;
  const std::vector<int> accepted = std::exchange(waiting_[listener].accepted, {});
  for (const int socket : accepted) {
    completion.complete({.status = IoStatus::kOk, .more = true, .value = socket});
  }
}

void SimLoop::receive_some(Completion& completion) {
  const size_t most = random_.chance(20) ? static_cast<size_t>(random_.skewed(1, 64))
                                         : static_cast<size_t>(kReceiveMost);
  const auto got = network_.receive(completion.fd_, {buffer_.data(), most});
  if (!got) return finish(completion, {.status = got.error()});
  if (*got == 0) {
    if (completion.stopping_) finish(completion, {.status = IoStatus::kCancelled});
    return;
  }
  if (completion.stopping_ || network_.readable(completion.fd_)) make_ready(&completion);
  completion.complete({.status = IoStatus::kOk, .more = true, .data = {buffer_.data(), *got}});
}

void SimLoop::send_some(Completion& completion) {
  std::span<const char> bytes = completion.sending_;
  if (random_.chance(5)) {
    bytes =
        bytes.first(static_cast<size_t>(random_.between(1, static_cast<int64_t>(bytes.size()))));
  }
  const auto sent = network_.send(completion.fd_, {bytes.data(), bytes.size()});
  if (!sent) return finish(completion, {.status = sent.error()});
  if (*sent > 0) finish(completion, {.status = IoStatus::kOk, .value = static_cast<int>(*sent)});
}

void SimLoop::finish(Completion& completion, const Event& event) {
  if (completion.listed_) {  // asked for again while it was being run
    completion.listed_ = false;
    std::erase(ready_, &completion);
  }
  Waiting& waiting = waiting_[completion.fd_];
  (completion.operation_ == Operation::kSend ? waiting.writer : waiting.reader) = nullptr;
  completion.in_flight_ = false;
  completion.complete(event);
}

}  // namespace toll::sim
