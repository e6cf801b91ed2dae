#include "net/redis_dialer.h"

#include <cassert>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>
#include <utility>

#include "net/limits.h"

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

// -1 with errno.
int open_socket(int family) {
  const int fd = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd >= 0 && family != AF_UNIX) set_tcp_options(fd);
  return fd;
}

std::string_view explain(IoStatus status) {
  switch (status) {
    case IoStatus::kRefused:
      return "connection refused; is Redis running there?";
    case IoStatus::kNotFound:
      return "there is no such socket; is Redis running, with its unixsocket there?";
    case IoStatus::kDenied:
      return "permission denied; may this user open the socket (Redis: unixsocketperm)?";
    case IoStatus::kTimedOut:
      return "connecting timed out; is Redis overloaded, or a firewall in between?";
    case IoStatus::kUnreachable:
      return "the host cannot be reached; is the network there?";
    default:
      return to_string(status);
  }
}

}  // namespace

RedisDialer::~RedisDialer() {
  assert(!in_flight() && fd_ < 0);
}

void RedisDialer::dial(const RedisAddress& address) {
  assert(!in_flight() && fd_ < 0);
  address_ = &address;
  tries_left_ = address.endpoints.size();
  given_up_ = false;
  failure_ = "it has no address";
  try_next();
}

void RedisDialer::give_up() {
  assert(in_flight());
  given_up_ = true;
  loop_.stop(*this);
}

void RedisDialer::try_next() {
  const auto& endpoints = address_->endpoints;
  for (; tries_left_ > 0 && !endpoints.empty(); ++at_) {
    --tries_left_;
    const RedisAddress::Endpoint& endpoint = endpoints[at_ % endpoints.size()];
    fd_ = open_socket(endpoint.address.ss_family);
    if (fd_ >= 0) {
      const auto* address = reinterpret_cast<const sockaddr*>(&endpoint.address);
      return loop_.connect(fd_, address, endpoint.length, *this);
    }
    failure_ = fmt::format("no socket can be had: {}", std::strerror(errno));
  }
  handler_.on_dial_failed(failure_);
}

void RedisDialer::complete(const Event& event) {
  if (event.status == IoStatus::kOk && !given_up_) {
    return handler_.on_dialled(std::exchange(fd_, -1));
  }
  ::close(std::exchange(fd_, -1));
  ++at_;
  if (given_up_) return handler_.on_dial_failed("given up");
  failure_ = explain(event.status);
  try_next();
}

}  // namespace toll::net
