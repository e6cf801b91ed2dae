#include "daemon/client_connection.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

namespace toll::daemon {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::string_view kPackagedSocket = "/run/tollkeeper/tollkeeper.sock";
constexpr size_t kReceiveBytes = 64 * 1024;

std::map<std::string, std::string> own_environment() {
  std::map<std::string, std::string> environment;
  for (const char* name : {"TOLLKEEPER_SOCKET", "RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"}) {
    if (const char* value = std::getenv(name)) environment.emplace(name, value);
  }
  return environment;
}

std::string own_temporary_socket() {
  return fmt::format("/tmp/tollkeeper-{}/tollkeeper.sock", getuid());
}

// Anyone may make a folder in /tmp: there, only our own daemon and root's are to be believed.
bool trusted(const std::string& path, int fd) {
  if (path != own_temporary_socket()) return true;
  ucred peer{};
  socklen_t length = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return false;
  return peer.uid == getuid() || peer.uid == 0;
}

std::expected<int, std::string> connect_to(const std::string& path, milliseconds timeout) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return std::unexpected("the path is too long");
  std::ranges::copy(path, address.sun_path);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return std::unexpected(std::string(std::strerror(errno)));
  // Bounds the connect, which waits while the daemon's backlog is full.
  const timeval wait{timeout.count() / 1000, timeout.count() % 1000 * 1000};
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
  std::string failure;
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    failure = errno == EAGAIN ? "the daemon does not accept" : std::strerror(errno);
  } else if (!trusted(path, fd)) {
    failure = "somebody else's process listens there";
  } else if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
    failure = std::strerror(errno);
  }
  if (failure.empty()) return fd;
  close(fd);
  return std::unexpected(failure);
}

}  // namespace

std::vector<std::string> socket_candidates(const std::string& socket,
                                           const std::map<std::string, std::string>& environment) {
  if (!socket.empty()) return {socket};
  const auto variable = [&environment](const char* name) {
    const auto found = environment.find(name);
    return found == environment.end() ? std::string() : found->second;
  };
  if (const std::string named = variable("TOLLKEEPER_SOCKET"); !named.empty()) return {named};

  std::vector<std::string> candidates = {std::string(kPackagedSocket)};
  // systemd's list of folders is separated by colons; the daemon takes the first.
  const std::string runtime = variable("RUNTIME_DIRECTORY");
  if (!runtime.empty()) {
    candidates.push_back(runtime.substr(0, runtime.find(':')) + "/tollkeeper.sock");
  }
  const std::string xdg = variable("XDG_RUNTIME_DIR");
  if (!xdg.empty()) candidates.push_back(xdg + "/tollkeeper/tollkeeper.sock");
  candidates.push_back(own_temporary_socket());
  return candidates;
}

std::expected<ClientConnection, std::string> ClientConnection::open(
    const ClientSettings& settings) {
  std::string tried;
  for (const std::string& path : socket_candidates(settings.socket, own_environment())) {
    const auto fd = connect_to(path, settings.timeout);
    if (fd) return ClientConnection(*fd, path, settings.timeout);
    tried += fmt::format("  tried {}: {}\n", path, fd.error());
  }
  return std::unexpected(
      fmt::format("no daemon answers\n{}Start one with `tollkeeperd` (or `systemctl start "
                  "tollkeeper`), or say where it listens with\n--socket PATH or "
                  "$TOLLKEEPER_SOCKET.",
                  tried));
}

ClientConnection::ClientConnection(ClientConnection&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      path_(std::move(other.path_)),
      timeout_(other.timeout_),
      reader_(std::move(other.reader_)) {}

ClientConnection& ClientConnection::operator=(ClientConnection&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(path_, other.path_);
  std::swap(timeout_, other.timeout_);
  std::swap(reader_, other.reader_);
  return *this;
}

ClientConnection::~ClientConnection() {
  if (fd_ >= 0) close(fd_);
}

std::expected<Reply, std::string> ClientConnection::ask(std::string_view request) {
  const auto deadline = steady_clock::now() + timeout_;
  while (true) {
    auto reply = reader_.next();
    if (!reply) return std::unexpected(reply.error());
    if (*reply) return std::move(**reply);

    const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
    if (left.count() <= 0) return std::unexpected(timeout_error());
    pollfd ready{fd_, static_cast<short>(request.empty() ? POLLIN : POLLIN | POLLOUT), 0};
    if (poll(&ready, 1, static_cast<int>(left.count())) <= 0) continue;
    if ((ready.revents & POLLOUT) != 0) {
      const auto sent = send_some(request);
      if (!sent) return std::unexpected(sent.error());
      request.remove_prefix(*sent);
    }
    if ((ready.revents & ~POLLOUT) != 0) {
      if (auto received = receive_some(); !received) return std::unexpected(received.error());
    }
  }
}

std::expected<size_t, std::string> ClientConnection::send_some(std::string_view bytes) {
  const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (sent >= 0) return static_cast<size_t>(sent);
  if (errno == EAGAIN || errno == EINTR) return 0;
  if (errno == EPIPE || errno == ECONNRESET) return bytes.size();
  return std::unexpected(fmt::format("cannot send to {}: {}", path_, std::strerror(errno)));
}

std::expected<void, std::string> ClientConnection::receive_some() {
  std::array<char, kReceiveBytes> buffer;
  const ssize_t got = recv(fd_, buffer.data(), buffer.size(), 0);
  if (got > 0) {
    reader_.append({buffer.data(), static_cast<size_t>(got)});
    return {};
  }
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return {};
  if (got == 0 || errno == ECONNRESET) {
    return std::unexpected(fmt::format("the daemon at {} closed the connection", path_));
  }
  return std::unexpected(fmt::format("cannot read from {}: {}", path_, std::strerror(errno)));
}

std::string ClientConnection::timeout_error() const {
  return fmt::format("the daemon at {} did not reply within {} ms", path_, timeout_.count());
}

}  // namespace toll::daemon
