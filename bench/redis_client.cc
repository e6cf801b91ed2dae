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
  return {calls - earlier.calls, script_s - earlier.script_s,
          process_cpu_s - earlier.process_cpu_s};
}

RedisUsage parse_command_stats(std::string_view text) {
  constexpr std::string_view kName = "cmdstat_evalsha:";
  const size_t found = text.find(kName);
  if (found == std::string_view::npos) return {};
  std::string_view line = text.substr(found + kName.size());
  line = line.substr(0, line.find('\r'));
  return {.calls = figure_of(line, "calls="),
          .script_s = static_cast<double>(figure_of(line, ",usec=")) * 1e-6};
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
    return {};
  }
}

std::expected<std::string, std::string> RedisClient::read_reply() {
  received_.clear();  // one question at a time: nothing is left of the last answer
  size_t head = 0;
  while ((head = received_.find(kLineEnd)) == std::string::npos) {
    if (auto more = receive(); !more) return std::unexpected(more.error());
  }
  const std::string text = received_.substr(1, head - 1);
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
  return {};
}

std::expected<RedisUsage, std::string> RedisClient::usage() {
  const auto stats = ask({"INFO", "commandstats"});
  if (!stats) return std::unexpected(stats.error());
  RedisUsage usage = parse_command_stats(*stats);
  if (const auto process = read_usage(pid_)) usage.process_cpu_s = process->cpu_s();
  return usage;
}

}  // namespace toll::bench
