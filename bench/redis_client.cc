#include "bench/redis_client.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <utility>

#include "bench/limits.h"
#include "bench/process_usage.h"

namespace toll::bench {
namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr std::array<std::string_view, 4> kCounted = {"evalsha", "rpush", "lpop", "lmove"};

uint64_t figure_of(std::string_view line, std::string_view name) {
  const size_t found = line.find(name);
  uint64_t value = 0;
  if (found != std::string_view::npos) {
    std::from_chars(line.data() + found + name.size(), line.data() + line.size(), value);
  }
  return value;
}

}  // namespace

RedisUsage RedisUsage::operator-(const RedisUsage& earlier) const {
  return {calls - earlier.calls, call_s - earlier.call_s, input_bytes - earlier.input_bytes,
          output_bytes - earlier.output_bytes, process_cpu_s - earlier.process_cpu_s};
}

RedisUsage parse_command_stats(std::string_view text) {
  RedisUsage usage;
  for (const std::string_view command : kCounted) {
    const size_t found = text.find(fmt::format("cmdstat_{}:", command));
    if (found == std::string_view::npos) continue;
    std::string_view line = text.substr(found);
    line = line.substr(0, line.find('\r'));
    usage.calls += figure_of(line, ":calls=");
    usage.call_s += static_cast<double>(figure_of(line, ",usec=")) * 1e-6;
  }
  return usage;
}

std::expected<RedisClient, std::string> RedisClient::connect(const std::string& socket_path) {
  auto socket = connect_to(socket_path);
  if (!socket) return std::unexpected(socket.error());
  const timeval patience{kStallNs / 1'000'000'000, 0};
  setsockopt(socket->fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const pid_t pid = peer_pid(*socket);
  return RedisClient(std::move(*socket), pid);
}

std::expected<std::string, std::string> RedisClient::ask(
    std::initializer_list<std::string_view> words) {
  std::string request = fmt::format("*{}\r\n", words.size());
  for (const std::string_view word : words) {
    request += fmt::format("${}\r\n{}\r\n", word.size(), word);
  }
  if (auto sent = send_all(socket_, request); !sent) return std::unexpected(sent.error());
  sent_bytes_ += request.size();
  return read_reply();
}

std::expected<void, std::string> RedisClient::receive() {
  std::array<char, 16 * 1024> buffer;
  if (received_.size() > kRedisReplyBytesMax) {
    return std::unexpected(fmt::format("Redis sent over {} bytes", kRedisReplyBytesMax));
  }
  while (true) {
    const ssize_t got = recv(socket_.fd(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(fmt::format("Redis: {}", std::strerror(errno)));
    if (got == 0) return std::unexpected(std::string("Redis closed the connection"));
    received_.append(buffer.data(), static_cast<size_t>(got));
    received_bytes_ += static_cast<size_t>(got);
    return {};
  }
}

std::expected<std::string, std::string> RedisClient::read_reply() {
  received_.clear();  // one question at a time: nothing is left of the last answer
  size_t head = 0;
  while ((head = received_.find(kLineEnd)) == std::string::npos) {
    if (auto more = receive(); !more) return std::unexpected(more.error());
  }
  std::string text = received_.substr(1, head - 1);
  if (received_.front() == '-') return std::unexpected("Redis: " + text);
  if (received_.front() != '$') return text;
  size_t length = 0;
  std::from_chars(text.data(), text.data() + text.size(), length);
  const size_t begin = head + kLineEnd.size();
  while (received_.size() < begin + length + kLineEnd.size()) {
    if (auto more = receive(); !more) return std::unexpected(more.error());
  }
  return received_.substr(begin, length);
}

std::expected<void, std::string> RedisClient::empty() {
  if (auto done = ask({"FLUSHALL", "SYNC"}); !done) return std::unexpected(done.error());
  if (auto done = ask({"CONFIG", "RESETSTAT"}); !done) return std::unexpected(done.error());
  sent_bytes_ = received_bytes_ = 0;
  return {};
}

std::expected<RedisUsage, std::string> RedisClient::usage() {
  const auto commands = ask({"INFO", "commandstats"});
  if (!commands) return std::unexpected(commands.error());
  RedisUsage usage = parse_command_stats(*commands);
  const uint64_t received_before = received_bytes_;
  const auto stats = ask({"INFO", "stats"});
  if (!stats) return std::unexpected(stats.error());
  usage.input_bytes = figure_of(*stats, "total_net_input_bytes:") - sent_bytes_;
  usage.output_bytes = figure_of(*stats, "total_net_output_bytes:") - received_before;
  if (const auto process = read_usage(pid_)) usage.process_cpu_s = process->cpu_s();
  return usage;
}

}  // namespace toll::bench
