#include "daemon/request_batch.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include "daemon/request_line.h"

namespace toll::daemon {
namespace {

constexpr size_t kReadBytes = 64 * 1024;
constexpr int kNoTimeout = -1;

}  // namespace

std::expected<void, RequestBatch::Failure> RequestBatch::run() {
  while (true) {
    if (auto taken = take_requests(); !taken) return taken;
    if (finished()) return {};
    if (auto waited = wait(); !waited) return waited;
  }
}

bool RequestBatch::window_open() const {
  return in_flight_ < limits_.in_flight_max && unsent_.size() < limits_.unsent_bytes_max;
}

bool RequestBatch::finished() const {
  return input_ended_ && lines_.empty() && in_flight_ == 0;
}

RequestBatch::Status RequestBatch::take_requests() {
  size_t taken = 0;
  while (window_open() && taken < lines_.size()) {
    size_t end = lines_.find('\n', taken);
    if (end == std::string::npos && input_ended_) end = lines_.size();
    const size_t length = std::min(end, lines_.size()) - taken;
    if (length > limits_.line_max) {
      return std::unexpected(Failure{
          ExitStatus::kError,
          fmt::format("line {} is longer than {} bytes", line_number_ + 1, limits_.line_max)});
    }
    if (end == std::string::npos) break;
    ++line_number_;
    if (append_request_of_line(std::string_view(lines_).substr(taken, length), unsent_)) {
      ++in_flight_;
      ++requests_;
    }
    taken = std::min(end + 1, lines_.size());
  }
  lines_.erase(0, taken);
  return {};
}

RequestBatch::Status RequestBatch::wait() {
  pollfd ready[2] = {{wants_input() ? input_ : -1, POLLIN, 0}, {connection_.fd(), POLLIN, 0}};
  if (!unsent_.empty()) ready[1].events |= POLLOUT;
  const bool owed = in_flight_ > 0;
  printer_.flush();
  const int count =
      poll(ready, 2, owed ? static_cast<int>(connection_.timeout().count()) : kNoTimeout);
  if (count < 0 && errno != EINTR) return lost(fmt::format("poll: {}", std::strerror(errno)));
  if (count == 0) return lost(connection_.timeout_error());
  if (count < 0) return {};
  if (ready[0].revents != 0) {
    if (auto read = read_input(); !read) return read;
  }
  if ((ready[1].revents & POLLOUT) != 0) {
    if (auto sent = send(); !sent) return sent;
  }
  if ((ready[1].revents & ~POLLOUT) != 0) return receive();
  return {};
}

RequestBatch::Status RequestBatch::read_input() {
  std::array<char, kReadBytes> buffer;
  const ssize_t got = read(input_, buffer.data(), buffer.size());
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return {};
  if (got < 0) {
    return std::unexpected(Failure{
        ExitStatus::kError, fmt::format("cannot read the requests: {}", std::strerror(errno))});
  }
  input_ended_ = got == 0;
  lines_.append(buffer.data(), static_cast<size_t>(got));
  return {};
}

RequestBatch::Status RequestBatch::send() {
  const auto sent = connection_.send_some(unsent_);
  if (!sent) return lost(sent.error());
  unsent_.erase(0, *sent);
  return {};
}

RequestBatch::Status RequestBatch::receive() {
  if (auto received = connection_.receive_some(); !received) return lost(received.error());
  while (true) {
    const auto reply = connection_.next_reply();
    if (!reply) return lost(reply.error());
    if (!*reply) return {};
    // Such as the refusal of a daemon that has too many clients.
    if (in_flight_ == 0) return lost(fmt::format("the daemon said '{}' unasked", (*reply)->line));
    --in_flight_;
    printer_.print(**reply);
  }
}

std::unexpected<RequestBatch::Failure> RequestBatch::lost(const std::string& why) const {
  return std::unexpected(
      Failure{ExitStatus::kNoDaemon,
              fmt::format("{}, after {} of {} replies", why, requests_ - in_flight_, requests_)});
}

}  // namespace toll::daemon
