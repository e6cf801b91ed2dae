#include "bench/load_client.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fmt/format.h>
#include <sys/socket.h>
#include <utility>

#include "bench/limits.h"

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
    tally_.latency_ns.record(static_cast<uint64_t>(now_ns - group.since_ns), settled);
    replies -= settled;
    group.count -= settled;
    if (group.count > 0) break;
    oldest_ = oldest_ + 1 == groups_.size() ? 0 : oldest_ + 1;
    --group_count_;
  }
}

uint32_t LoadClient::take(uint64_t most) {
  const size_t last = std::min<uint64_t>(cursor_ + most, script_.size());
  const auto count = static_cast<uint32_t>(last - cursor_);
  unsent_ = script_.slice(cursor_, last);
  const uint32_t decisions = script_.decisions(cursor_, last);
  tally_.asked_decisions += decisions;
  tally_.asked_others += count - decisions;
  tally_.pushed_records += script_.records(cursor_, last);
  in_flight_ += count;
  cursor_ = last == script_.size() ? 0 : last;
  return count;
}

void LoadClient::add_group(int64_t since_ns, uint32_t count) {
  groups_[(oldest_ + group_count_) % groups_.size()] = {since_ns, count};
  ++group_count_;
}

std::expected<void, std::string> LoadClient::fill_window(int64_t now_ns) {
  while (in_flight_ < depth_ && unsent_.empty()) {
    add_group(now_ns, take(depth_ - in_flight_));
    if (const auto sent = send_unsent(); !sent) return sent;
  }
  return {};
}

std::expected<void, std::string> LoadClient::send_due(const Schedule& schedule, int64_t now_ns) {
  while (owed_ > 0 && in_flight_ < depth_ && unsent_.empty()) {
    const uint32_t count = take(std::min<uint64_t>(owed_, depth_ - in_flight_));
    owed_ -= count;
    tally_.sent_when_due += count;
    for (uint32_t request = 0; request < count; ++request) {
      const int64_t due_ns = schedule.due_ns(due_number_);
      due_number_ += schedule.clients;
      add_group(due_ns, 1);
      if (now_ns - due_ns > kLateNs) ++tally_.sent_late;
    }
    if (const auto sent = send_unsent(); !sent) return sent;
  }
  return {};
}

uint64_t LoadClient::count_waiting(const Schedule& schedule, int64_t now_ns) {
  const auto wait_ns = [now_ns](int64_t since_ns) {
    return static_cast<uint64_t>(std::max<int64_t>(now_ns - since_ns, 0));
  };
  for (size_t at = 0; at < group_count_; ++at) {
    const Group& group = groups_[(oldest_ + at) % groups_.size()];
    tally_.latency_ns.record(wait_ns(group.since_ns), group.count);
  }
  for (uint64_t request = 0; request < owed_; ++request) {
    const uint64_t number = due_number_ + request * schedule.clients;
    tally_.latency_ns.record(wait_ns(schedule.due_ns(number)));
  }
  return owed_;
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
