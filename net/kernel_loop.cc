#include "net/kernel_loop.h"

#include <cassert>
#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include "net/limits.h"
#include "net/peer.h"

namespace toll::net {
namespace {

template <typename Value>
void set_option(int fd, int level, int name, Value value) {
  [[maybe_unused]] const int done = ::setsockopt(fd, level, name, &value, sizeof value);
  assert(done == 0);
}

// Keep-alive alone does not help while sent bytes are unacknowledged: by default the kernel goes on
// for a quarter of an hour.
void set_tcp_options(int fd) {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, kRedisKeepIdleS);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, kRedisKeepIntervalS);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, kRedisKeepCount);
  set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, kRedisUserTimeoutMs);
}

}  // namespace

std::expected<int, int> KernelLoop::open_socket(int family) {
  const int fd = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return std::unexpected(errno);
  if (family != AF_UNIX) set_tcp_options(fd);
  return fd;
}

void KernelLoop::shut_down(int fd) {
  ::shutdown(fd, SHUT_RDWR);
}

void KernelLoop::close(int fd) {
  ::close(fd);
}

std::optional<char> KernelLoop::first_byte(int fd) {
  char first = 0;
  if (::recv(fd, &first, 1, MSG_PEEK | MSG_DONTWAIT) != 1) return std::nullopt;
  return first;
}

bool KernelLoop::hung_up(int fd) {
  pollfd looked{.fd = fd, .events = 0, .revents = 0};
  return ::poll(&looked, 1, 0) == 1 && (looked.revents & POLLHUP) != 0;
}

void KernelLoop::send_at_once(int fd, std::string_view bytes) {
  [[maybe_unused]] const ssize_t sent =
      ::send(fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

bool KernelLoop::peer_is_privileged(int fd, std::optional<gid_t> group) {
  return is_privileged_peer(fd, group);
}

std::optional<Peer> KernelLoop::peer(int fd) {
  return peer_of(fd);
}

}  // namespace toll::net
