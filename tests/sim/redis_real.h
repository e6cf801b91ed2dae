// A real redis-server and plain connections to it, to compare the simulated one with: bytes out,
// one whole reply back.
#pragma once

#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <gtest/gtest.h>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include "tests/unit/redis_server.h"

namespace toll::sim {

using Words = std::vector<std::string>;

// A request in RESP2.
inline std::string request(std::span<const std::string> words) {
  std::string bytes = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) {
    bytes += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  }
  return bytes;
}

// Where the reply that begins at `at` ends; nothing if it is not whole.
inline std::optional<size_t> reply_end(std::string_view bytes, size_t at) {
  const size_t line = bytes.find("\r\n", at);
  if (line == bytes.npos) return std::nullopt;
  if (bytes[at] != '$' && bytes[at] != '*') return line + 2;
  int64_t size = 0;
  std::from_chars(bytes.data() + at + 1, bytes.data() + line, size);
  std::optional<size_t> end = line + 2;
  if (bytes[at] == '$') {
    if (size >= 0) end = *end + static_cast<size_t>(size) + 2;
    return *end <= bytes.size() ? end : std::nullopt;
  }
  for (int64_t i = 0; i < size && end; ++i) end = reply_end(bytes, *end);
  return end;
}

// For people to read, in a failure.
inline std::string shown(std::string_view bytes) {
  std::string text;
  for (const char c : bytes.substr(0, 2000)) {
    if (c >= ' ' && c <= '~') {
      text += c;
    } else if (c == '\r' || c == '\n') {
      text += c == '\r' ? "\\r" : "\\n";
    } else {
      constexpr std::string_view kHex = "0123456789abcdef";
      const auto byte = static_cast<unsigned char>(c);
      text += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return text;
}

class RealConnection {
 public:
  explicit RealConnection(const std::string& path) : socket_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(static_cast<char*>(address.sun_path), sizeof(address.sun_path) - 1);
    connected_ = ::connect(socket_, reinterpret_cast<const sockaddr*>(&address),
                           static_cast<socklen_t>(sizeof(address))) == 0;
  }
  ~RealConnection() { ::close(socket_); }
  RealConnection(const RealConnection&) = delete;
  RealConnection& operator=(const RealConnection&) = delete;

  bool connected() const { return connected_; }

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
  }

  // The next reply; what there is of it where the server closes.
  std::string reply() {
    for (;;) {
      const auto end = received_.empty() ? std::nullopt : reply_end(received_, 0);
      if (end) {
        std::string reply = received_.substr(0, *end);
        received_.erase(0, *end);
        return reply;
      }
      if (!receive()) return std::exchange(received_, {});
    }
  }
  // All that comes until the server closes.
  std::string rest() {
    while (receive()) {
    }
    return std::exchange(received_, {});
  }

  std::string ask(const Words& words) {
    send(request(words));
    return reply();
  }

 private:
  bool receive() {
    std::array<char, 65536> bytes;
    const ssize_t size = ::recv(socket_, bytes.data(), bytes.size(), 0);
    if (size <= 0) return false;
    received_.append(bytes.data(), static_cast<size_t>(size));
    return true;
  }

  int socket_;
  bool connected_ = false;
  std::string received_;
};

class RealRedis {
 public:
  explicit RealRedis(std::vector<std::string> options = {}) : server_(std::move(options)) {
    start();
  }

  // Until the server listens; what it takes to start is not ours to know.
  void start() {
    server_.start();
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (std::chrono::steady_clock::now() < until && !server_.ended()) {
      if (RealConnection(server_.path()).connected()) return;
      std::this_thread::yield();
    }
    ADD_FAILURE() << "redis-server did not start";
  }
  void kill() { server_.kill(); }

  std::string path() const { return server_.path(); }
  std::string directory() const { return path().substr(0, path().rfind('/')); }

 private:
  net::testing::RedisServer server_;
};

}  // namespace toll::sim
