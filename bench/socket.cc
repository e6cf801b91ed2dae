#include "bench/socket.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fmt/format.h>
#include <optional>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench/limits.h"

namespace toll::bench {
namespace {

// The rows of `text` if it is a whole LIST, nothing if more must come.
std::expected<std::optional<std::vector<std::string>>, std::string> parse_list(
    std::string_view text) {
  const size_t head_end = text.find('\n');
  if (head_end == std::string_view::npos) return std::nullopt;
  const std::string_view head = text.substr(0, head_end);
  if (!head.starts_with("LIST ")) return std::unexpected(std::string(head));
  size_t rows = 0;
  std::from_chars(head.data() + 5, head.data() + head.size(), rows);
  if (rows > kListRowsMax) return std::unexpected(fmt::format("a list of {} rows", rows));
  text.remove_prefix(head_end + 1);
  std::vector<std::string> list;
  while (list.size() < rows) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    list.emplace_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return list;
}

}  // namespace

Socket& Socket::operator=(Socket&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

Socket::~Socket() {
  if (fd_ >= 0) close(fd_);
}

std::expected<Socket, std::string> connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return std::unexpected(fmt::format("{}: the path is too long for a socket", path));
  }
  std::ranges::copy(path, address.sun_path);
  Socket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (socket.fd() < 0 ||
      connect(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return std::unexpected(fmt::format("cannot connect to {}: {}", path, std::strerror(errno)));
  }
  return socket;
}

pid_t peer_pid(const Socket& socket) {
  ucred peer{};
  socklen_t length = sizeof peer;
  if (getsockopt(socket.fd(), SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return 0;
  return peer.pid;
}

std::expected<void, std::string> send_all(const Socket& socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(socket.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return std::unexpected(fmt::format("send: {}", std::strerror(errno)));
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return {};
}

std::expected<std::vector<std::string>, std::string> ask_list(const std::string& path,
                                                              std::string_view request) {
  const auto socket = connect_to(path);
  if (!socket) return std::unexpected(socket.error());
  if (const auto sent = send_all(*socket, request); !sent) return std::unexpected(sent.error());
  std::string text;
  std::array<char, 4096> buffer;
  while (text.size() < kListBytesMax) {
    const ssize_t got = recv(socket->fd(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return std::unexpected(fmt::format("{} closed the connection", path));
    text.append(buffer.data(), static_cast<size_t>(got));
    auto list = parse_list(text);
    if (!list) return std::unexpected(list.error());
    if (*list) return std::move(**list);
  }
  return std::unexpected(fmt::format("{} sent a list of over {} bytes", path, kListBytesMax));
}

}  // namespace toll::bench
