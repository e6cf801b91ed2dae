// What the tests of the network room share: every back-end, with generous and with tiny settings,
// and a small language to talk about sockets in.
#pragma once

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "net/loop.h"

namespace toll::net::testing {

struct Variant {
  Backend backend;
  bool tiny;  // rings, buffers and socket queues so small that the rare paths are the common ones
};

// Where io_uring is forbidden its tests fail and say why, unless the environment declares that they
// may be left out.
inline std::vector<Variant> variants() {
#ifdef __SANITIZE_THREAD__
  // The thread sanitizer knows nothing of what the kernel does for io_uring.
  return {{Backend::kEpoll, false}, {Backend::kEpoll, true}};
#else
  std::vector<Variant> all{{Backend::kEpoll, false}, {Backend::kEpoll, true}};
  const auto ring = Loop::make(Backend::kUring);
  if (!ring && std::getenv("TOLLKEEPER_TEST_WITHOUT_IO_URING") != nullptr) {
    std::fprintf(stderr, "not tested: io_uring. %s\n", ring.error().c_str());
    return all;
  }
  all.insert(all.begin(), {{Backend::kUring, false}, {Backend::kUring, true}});
  return all;
#endif
}

inline std::string name_of(const ::testing::TestParamInfo<Variant>& info) {
  return std::string(info.param.backend == Backend::kUring ? "Uring" : "Epoll") +
         (info.param.tiny ? "Tiny" : "");
}

// A descriptor that is closed at the end.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      close();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~Fd() { close(); }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  int release() { return std::exchange(fd_, -1); }
  int operator*() const { return fd_; }

 private:
  int fd_ = -1;
};

// Two connected ends, both non-blocking.
struct Pair {
  Fd near;  // the loop's
  Fd far;   // the peer's
};

inline Pair make_pair(int queue_bytes = 0) {
  std::array<int, 2> fds{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()) != 0) {
    ADD_FAILURE() << "no socket pair";
    return {};
  }
  for (const int fd : fds) {
    if (queue_bytes > 0) ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &queue_bytes, sizeof queue_bytes);
  }
  return {Fd(fds[0]), Fd(fds[1])};
}

inline void say(const Fd& fd, std::string_view text) {
  ASSERT_EQ(::send(*fd, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
}

// What is queued for reading just now.
inline std::string hear(const Fd& fd, size_t at_most = 65536) {
  std::string text(at_most, '\0');
  const ssize_t got = ::recv(*fd, text.data(), text.size(), MSG_DONTWAIT);
  text.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return text;
}

// A listener of a name that is no file.
struct Hall {
  explicit Hall(int backlog = 1024)
      : fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    address.sun_family = AF_UNIX;
    EXPECT_EQ(::bind(*fd, raw(), sizeof(sa_family_t)), 0);
    EXPECT_EQ(::listen(*fd, backlog), 0);
    length = sizeof address;
    EXPECT_EQ(::getsockname(*fd, raw(), &length), 0);
  }
  sockaddr* raw() { return reinterpret_cast<sockaddr*>(&address); }
  Fd visitor() {
    Fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(*client, raw(), length), 0);
    return client;
  }

  Fd fd;
  sockaddr_un address{};
  socklen_t length = 0;
};

// Writes down what happens to an operation, and does what the test wants done.
struct Witness final : Completion {
  void complete(const Event& event) override {
    ASSERT_EQ(event.more, in_flight());
    ++events;
    last = event;
    last.data = {};
    text.append(event.data.data(), event.data.size());
    if (then) then(event);
  }
  bool done() const { return events > 0 && !in_flight(); }

  int events = 0;
  Event last;
  std::string text;
  std::function<void(const Event&)> then;
};

// Sends a text to its end, however short the sends are.
struct Speaker final : Completion {
  Speaker(Loop& with, int to, std::string_view what) : loop(with), fd(to), rest(what) {
    if (!rest.empty()) loop.send(fd, rest, *this);
  }
  void complete(const Event& event) override {
    status = event.status;
    if (event.status != IoStatus::kOk) return;
    const auto taken = static_cast<size_t>(event.value);
    short_sends += taken < rest.size() ? 1 : 0;
    rest.remove_prefix(taken);
    if (!rest.empty()) loop.send(fd, rest, *this);
  }
  bool done() const { return !in_flight(); }

  Loop& loop;
  int fd;
  std::string_view rest;
  IoStatus status = IoStatus::kOk;
  int short_sends = 0;
};

inline std::string random_text(size_t bytes, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string text(bytes, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

class LoopTest : public ::testing::TestWithParam<Variant> {
 protected:
  // Generous: only what hangs takes this long.
  static constexpr auto kPatience = std::chrono::seconds(30);

  void SetUp() override {
    auto made = Loop::make(GetParam().backend, settings());
    ASSERT_TRUE(made) << made.error() << " (TOLLKEEPER_TEST_WITHOUT_IO_URING=1 tests the rest)";
    loop_ = std::move(*made);
  }

  static LoopSettings settings() {
    if (!GetParam().tiny) return {};
    return {.submission_entries = 4,
            .completion_entries = 8,
            .receive_buffers = 2,
            .receive_buffer_bytes = 16};
  }

  static bool tiny() { return GetParam().tiny; }
  static int queue_bytes() { return tiny() ? 4608 : 0; }
  Loop& loop() { return *loop_; }

  // Runs turns until `done` says so. A turn sleeps, unless `done` itself moves things on.
  template <typename Done>
  void run_until(Done done, int64_t timeout_ns = 50'000'000) {
    const auto limit = std::chrono::steady_clock::now() + kPatience;
    while (!done()) {
      ASSERT_TRUE(std::chrono::steady_clock::now() < limit) << "it does not come to an end";
      loop_->run_once(timeout_ns);
    }
  }

  // Turns in which whatever can happen has happened.
  void settle() {
    for (int quiet = 0; quiet < 3;) {
      const uint64_t before = loop_->stats().events;
      loop_->run_once(0);
      quiet = loop_->stats().events == before ? quiet + 1 : 0;
    }
  }

  // Nothing may be in flight when its completion dies.
  void stop(Completion& completion) {
    loop_->stop(completion);
    run_until([&] { return !completion.in_flight(); });
  }

  std::unique_ptr<Loop> loop_;
};

}  // namespace toll::net::testing
