#include "bench/load_client.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fmt/format.h>
#include <sys/socket.h>
#include <utility>

namespace toll::bench {

int64_t clock_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

LoadClient::LoadClient(Socket socket, const RequestScript& script, size_t first, uint32_t depth,
                       Framing framing, LoadTally& tally)
    : socket_(std::move(socket)),
      script_(script),
      cursor_(first),
      depth_(depth),
      counter_(framing),
      tally_(tally),
      groups_(depth) {}

std::expected<int64_t, std::string> LoadClient::read_replies(std::span<char> buffer) {
  const ssize_t got = recv(socket_.fd(), buffer.data(), buffer.size(), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
  if (got < 0) return std::unexpected(fmt::format("receive: {}", std::strerror(errno)));
  if (got == 0) {
    return std::unexpected(
        fmt::format("the server closed a connection with {} requests in flight", in_flight_));
  }
  const int64_t now_ns = clock_ns();
  const uint32_t replies = counter_.count(buffer.first(static_cast<size_t>(got)), tally_.counts);
  if (replies > in_flight_) {
    return std::unexpected(fmt::format("{} replies to {} requests in flight", replies, in_flight_));
  }
  settle(replies, now_ns);
  return now_ns;
}

void LoadClient::settle(uint32_t replies, int64_t now_ns) {
  in_flight_ -= replies;
  tally_.replies += replies;
  while (replies > 0) {
    Group& group = groups_[oldest_];
    const uint32_t settled = std::min(replies, group.count);
    tally_.latency_ns.record(static_cast<uint64_t>(now_ns - group.sent_ns), settled);
    replies -= settled;
    group.count -= settled;
    if (group.count > 0) break;
    oldest_ = oldest_ + 1 == groups_.size() ? 0 : oldest_ + 1;
    --group_count_;
  }
}

std::expected<void, std::string> LoadClient::fill_window(int64_t now_ns) {
  while (in_flight_ < depth_ && unsent_.empty()) {
    const size_t last = std::min(cursor_ + (depth_ - in_flight_), script_.size());
    const auto count = static_cast<uint32_t>(last - cursor_);
    unsent_ = script_.slice(cursor_, last);
    const uint32_t decisions = script_.decisions(cursor_, last);
    tally_.asked_decisions += decisions;
    tally_.asked_others += count - decisions;
    groups_[(oldest_ + group_count_) % groups_.size()] = {now_ns, count};
    ++group_count_;
    in_flight_ += count;
    cursor_ = last == script_.size() ? 0 : last;
    if (const auto sent = send_unsent(); !sent) return sent;
  }
  return {};
}

std::expected<void, std::string> LoadClient::send_unsent() {
  while (!unsent_.empty()) {
    const ssize_t sent = send(socket_.fd(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) break;
    if (sent < 0) return std::unexpected(fmt::format("send: {}", std::strerror(errno)));
    unsent_.remove_prefix(static_cast<size_t>(sent));
  }
  return {};
}

}  // namespace toll::bench
