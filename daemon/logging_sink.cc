#include "daemon/logging_sink.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <fmt/format.h>
#include <poll.h>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include "daemon/limits.h"
#include "net/machine.h"

namespace toll::daemon {
namespace {

using spdlog::details::log_msg;

constexpr int64_t kLogNsPerMs = 1'000'000;
constexpr int64_t kFinishNs = 500 * kLogNsPerMs;
constexpr auto kLeaveBehindAfter = std::chrono::milliseconds(1000);

}  // namespace

class LogQueue {
 public:
  LogQueue(int fd, std::unique_ptr<spdlog::formatter> formatter)
      : fd_(fd), formatter_(std::move(formatter)) {}

  void add(const log_msg& message) {
    const std::lock_guard lock(mutex_);
    const std::string_view text(message.payload.data(), message.payload.size());
    const bool idle = queued_.empty() && dropped_untold_ == 0;
    if (message.level >= spdlog::level::info &&
        !repeats_.passes(message.level, text, net::monotonic_ns())) {
      if (idle) doorbell_.ring();  // for the writer to know when it is due
      return;
    }
    append(message, kLogQueueMax);
    if (idle) doorbell_.ring();
  }

  void finish() {
    finish_by_ns_.store(net::monotonic_ns() + kFinishNs);
    doorbell_.ring();
  }

  uint64_t dropped() const { return dropped_.load(); }

  // The writer's thread.
  void write_all() {
    std::string lines;
    lines.reserve(kLogQueueMax);
    while (take(lines)) {
      if (!write_lines(lines)) return;
      lines.clear();
    }
  }

 private:
  // REQUIRES: mutex_ is held.
  void append(const log_msg& message, size_t room) {
    line_.clear();
    formatter_->format(message, line_);
    if (queued_.size() + line_.size() > room) {
      ++dropped_untold_;
      dropped_.fetch_add(1);
      return;
    }
    queued_.append(line_.data(), line_.size());
  }

  void append_own(spdlog::level::level_enum level, const std::string& text) {
    append(log_msg(spdlog::string_view_t(), level, text), SIZE_MAX);
  }

  bool finishing() const { return finish_by_ns_.load() != INT64_MAX; }

  // Waits for lines and takes all there are. False: there will be no more.
  bool take(std::string& lines) {
    while (true) {
      int64_t due_ns = INT64_MAX;
      // Read before the queue is: what was added before the end began is taken.
      const bool last = finishing();
      {
        const std::lock_guard lock(mutex_);
        while (auto held = repeats_.take_due(last ? INT64_MAX : net::monotonic_ns())) {
          append_own(held->level, fmt::format("{} more like it: {}", held->count, held->text));
        }
        if (dropped_untold_ > 0) {
          append_own(spdlog::level::warn,
                     fmt::format("{} line{} of this log dropped: nobody read it in time",
                                 dropped_untold_, dropped_untold_ == 1 ? "" : "s"));
          dropped_untold_ = 0;
        }
        lines.swap(queued_);
        due_ns = repeats_.next_due_ns();
      }
      if (!lines.empty()) return true;
      if (last) return false;
      wait(due_ns, false);
    }
  }

  // False: the time to finish is over, and what is left is lost.
  bool write_lines(std::string_view rest) {
    while (!rest.empty()) {
      const Room room = wait(finish_by_ns_.load(), true);
      if (room == Room::kNever) return true;  // nobody will ever read it
      if (room == Room::kNone) {
        if (net::monotonic_ns() >= finish_by_ns_.load()) return false;
        continue;
      }
      // A pipe that takes something takes so much at least, at once; a socket, what it has room
      // for.
      const std::string_view piece = rest.substr(0, PIPE_BUF);
      ssize_t written = send(fd_, piece.data(), piece.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (written < 0 && errno == ENOTSOCK) written = write(fd_, piece.data(), piece.size());
      if (written > 0) rest.remove_prefix(static_cast<size_t>(written));
      if (written < 0 && errno != EINTR && errno != EAGAIN) return true;
    }
    return true;
  }

  enum class Room : uint8_t { kSome, kNone, kNever };

  // Sleeps until the doorbell rings, there is room to write if that is wanted, or it is `until_ns`.
  Room wait(int64_t until_ns, bool for_room) {
    std::array<pollfd, 2> waits = {{{.fd = doorbell_.fd(), .events = POLLIN, .revents = 0},
                                    {.fd = fd_, .events = POLLOUT, .revents = 0}}};
    int timeout_ms = -1;
    if (until_ns != INT64_MAX) {
      const int64_t left_ns = std::max<int64_t>(until_ns - net::monotonic_ns(), 0);
      timeout_ms = static_cast<int>(std::min<int64_t>(left_ns / kLogNsPerMs + 1, INT_MAX));
    }
    if (poll(waits.data(), for_room ? 2 : 1, timeout_ms) <= 0) return Room::kNone;
    if (waits[0].revents != 0) {
      uint64_t rings = 0;
      [[maybe_unused]] const ssize_t rung = read(doorbell_.fd(), &rings, sizeof(rings));
    }
    if ((waits[1].revents & POLLOUT) != 0) return Room::kSome;
    return waits[1].revents != 0 ? Room::kNever : Room::kNone;
  }

  const int fd_;
  net::EventDoorbell doorbell_;  // rung when the queue is no longer empty, and at the end
  std::atomic<int64_t> finish_by_ns_{INT64_MAX};
  std::atomic<uint64_t> dropped_{0};

  std::mutex mutex_;  // all below
  std::unique_ptr<spdlog::formatter> formatter_;
  RepeatedLines repeats_;
  spdlog::memory_buf_t line_;
  std::string queued_;
  uint64_t dropped_untold_ = 0;
};

LoggingSink::LoggingSink(int fd, std::unique_ptr<spdlog::formatter> formatter)
    : queue_(std::make_shared<LogQueue>(fd, std::move(formatter))) {
  std::promise<void> written;
  written_ = written.get_future();
  thread_ = std::thread([queue = queue_, written = std::move(written)]() mutable {
    queue->write_all();
    written.set_value();
  });
}

LoggingSink::~LoggingSink() {
  finish();
}

void LoggingSink::log(const log_msg& message) {
  queue_->add(message);
}

void LoggingSink::finish() {
  if (!thread_.joinable()) return;
  queue_->finish();
  if (written_.wait_for(kLeaveBehindAfter) == std::future_status::ready) {
    thread_.join();
  } else {
    thread_.detach();
  }
}

uint64_t LoggingSink::dropped() const {
  return queue_->dropped();
}

void LoggingSink::set_pattern(const std::string&) {}
void LoggingSink::set_formatter(std::unique_ptr<spdlog::formatter>) {}

}  // namespace toll::daemon
