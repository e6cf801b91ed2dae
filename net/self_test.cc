#include "net/self_test.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fmt/format.h>
#include <memory>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

namespace toll::net {

namespace {

using Clock = std::chrono::steady_clock;
using Outcome = std::expected<void, std::string>;

constexpr int kRounds = 20;
constexpr size_t kPairs = 16;  // streams that end in one round
constexpr std::string_view kMessage = "CHECK api alice\n";
constexpr auto kPatience = std::chrono::seconds(1);
constexpr int64_t kTurnNs = 10'000'000;

// Small, so that the buffers run out and the ring overflows in the trial and not in service.
constexpr LoopSettings kTrial{.submission_entries = 8,
                              .completion_entries = 16,
                              .receive_buffers = 4,
                              .receive_buffer_bytes = 16};

// Runs the loop until `done` or patience is over; whether it was done.
template <typename Done>
bool run_until(Loop& loop, Done done) {
  const auto limit = Clock::now() + kPatience;
  while (!done()) {
    if (Clock::now() > limit) return false;
    loop.run_once(kTurnNs);
  }
  return true;
}

struct Incoming final : Completion {
  void complete(const Event& event) override {
    bytes += event.data.size();
    last = event.status;
  }
  size_t bytes = 0;
  IoStatus last = IoStatus::kOk;
};

struct Accepting final : Completion {
  void complete(const Event& event) override {
    if (event.status == IoStatus::kOk && count < fds.size()) {
      fds[count++] = event.value;
    } else if (event.status == IoStatus::kOk) {
      ::close(event.value);
    }
  }
  std::array<int, 4> fds{};
  size_t count = 0;
};

// A number of socket pairs: the near ends are the loop's, the far ends the peer's. The peer's part
// runs on another thread, for what is looked for is a race.
class Round {
 public:
  explicit Round(Loop& loop) : loop_(loop) {}
  ~Round() {
    for (const auto& pair : fds_) {
      if (pair[0] >= 0) ::close(pair[0]);
      if (pair[1] >= 0) ::close(pair[1]);
    }
  }
  Round(const Round&) = delete;
  Round& operator=(const Round&) = delete;

  Outcome open() {
    for (auto& pair : fds_) {
      if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0) {
        pair = {-1, -1};
        return std::unexpected(
            fmt::format("no socket pair for the trial: {}", std::strerror(errno)));
      }
    }
    return {};
  }

  void receive() {
    for (size_t i = 0; i < kPairs; ++i) loop_.receive(fds_[i][0], incoming_[i]);
  }

  void play_peers() {
    for (const auto& pair : fds_) {
      ::send(pair[1], kMessage.data(), kMessage.size(), MSG_NOSIGNAL);
      ::shutdown(pair[1], SHUT_WR);
    }
  }

  Outcome check() {
    const auto ended = [this] {
      for (const Incoming& incoming : incoming_) {
        if (incoming.in_flight()) return false;
      }
      return true;
    };
    if (!run_until(loop_, ended)) {
      return std::unexpected("the end of a Unix stream got lost, as with kernels that lack a fix");
    }
    for (const Incoming& incoming : incoming_) {
      if (incoming.bytes != kMessage.size() || incoming.last != IoStatus::kEnd) {
        return std::unexpected(fmt::format("received {} of {} bytes, then: {}", incoming.bytes,
                                           kMessage.size(), to_string(incoming.last)));
      }
    }
    return {};
  }

 private:
  Loop& loop_;
  std::array<std::array<int, 2>, kPairs> fds_ = filled();
  std::array<Incoming, kPairs> incoming_;

  static constexpr std::array<std::array<int, 2>, kPairs> filled() {
    std::array<std::array<int, 2>, kPairs> none{};
    for (auto& pair : none) pair = {-1, -1};
    return none;
  }
};

// In every other round the peers have come and gone before anybody receives. A round that failed
// lives until the loop is gone: its receives are still in flight.
Outcome try_receiving(Loop& loop, std::array<std::unique_ptr<Round>, kRounds>& rounds) {
  bool late = false;
  for (std::unique_ptr<Round>& round : rounds) {
    round = std::make_unique<Round>(loop);
    if (Outcome opened = round->open(); !opened) return opened;
    std::thread peers;
    if (late) {
      round->play_peers();
      round->receive();
    } else {
      round->receive();
      loop.run_once(0);
      peers = std::thread([&] { round->play_peers(); });
    }
    late = !late;
    Outcome checked = round->check();
    if (peers.joinable()) peers.join();
    if (!checked) return checked;
    round.reset();  // all of it has ended; descriptors may be few
  }
  return {};
}

Outcome try_doorbell(Loop& loop) {
  loop.run_once(0);
  std::thread ringer([&] { loop.doorbell().ring(); });
  const auto began = Clock::now();
  loop.run_once(std::chrono::nanoseconds(kPatience).count());
  const bool woken = Clock::now() - began < kPatience;
  ringer.join();
  if (!woken) return std::unexpected("a sleeping loop was not woken");
  return {};
}

Outcome try_accepting(Loop& loop, int listener, Accepting& accepting) {
  // Without a name the kernel picks one that is no file.
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socklen_t length = sizeof(sa_family_t);
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      ::listen(listener, 16) != 0) {
    return std::unexpected(fmt::format("no listener for the trial: {}", std::strerror(errno)));
  }
  length = sizeof address;
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length);
  loop.accept(listener, accepting);
  std::array<int, 4> clients{};
  for (int& client : clients) {
    client = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ::connect(client, reinterpret_cast<sockaddr*>(&address), length);
  }
  const bool all = run_until(loop, [&] { return accepting.count == clients.size(); });
  bool usable = all;
  for (size_t i = 0; i < accepting.count; ++i) {
    // Some kernels handed out descriptors that were none.
    usable = usable && ::send(accepting.fds[i], "+", 1, MSG_NOSIGNAL) == 1;
    ::close(accepting.fds[i]);
  }
  for (const int client : clients) ::close(client);
  loop.stop(accepting);
  const bool stopped = run_until(loop, [&] { return !accepting.in_flight(); });
  if (!all) return std::unexpected("a connection was not accepted");
  if (!usable) return std::unexpected("an accepted connection cannot be used");
  if (!stopped) return std::unexpected("accepting could not be stopped");
  return {};
}

}  // namespace

std::expected<void, std::string> self_test_uring() {
  std::array<std::unique_ptr<Round>, kRounds> rounds;
  Accepting accepting;
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener < 0) {
    return std::unexpected(fmt::format("no socket for the trial: {}", std::strerror(errno)));
  }
  Outcome outcome;
  {
    auto loop = Loop::make(Backend::kUring, kTrial);
    if (!loop) {
      outcome = std::unexpected(std::move(loop.error()));
    } else {
      outcome = try_accepting(**loop, listener, accepting);
      if (outcome) outcome = try_doorbell(**loop);
      if (outcome) outcome = try_receiving(**loop, rounds);
      if (!outcome) outcome = std::unexpected("io_uring failed its trial: " + outcome.error());
    }
  }
  ::close(listener);
  return outcome;
}

std::expected<BackendChoice, std::string> choose_backend(std::string_view wanted) {
  if (wanted == "epoll") return BackendChoice{Backend::kEpoll, "using epoll, as configured"};
  if (wanted != "auto" && wanted != "io_uring") {
    return std::unexpected(
        fmt::format("'{}' is no backend: it is auto, io_uring or epoll", wanted));
  }
  const Outcome outcome = self_test_uring();
  if (outcome) {
    return BackendChoice{Backend::kUring, wanted == "auto" ? "using io_uring: its trial passed"
                                                           : "using io_uring, as configured"};
  }
  if (wanted == "io_uring") {
    return std::unexpected(outcome.error() + "; backend = \"auto\" would use epoll");
  }
  return BackendChoice{Backend::kEpoll, outcome.error() + "; using epoll"};
}

}  // namespace toll::net
