#include "net/redis_dialer.h"

#include <cassert>
#include <cstring>
#include <fmt/format.h>
#include <utility>

namespace toll::net {

namespace {

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
    if (const auto fd = loop_.open_socket(endpoint.address.ss_family)) {
      fd_ = *fd;
      const auto* address = reinterpret_cast<const sockaddr*>(&endpoint.address);
      return loop_.connect(fd_, address, endpoint.length, *this);
    } else {
      failure_ = fmt::format("no socket can be had: {}", std::strerror(fd.error()));
    }
  }
  handler_.on_dial_failed(failure_);
}

void RedisDialer::complete(const Event& event) {
  if (event.status == IoStatus::kOk && !given_up_) {
    return handler_.on_dialled(std::exchange(fd_, -1));
  }
  loop_.close(std::exchange(fd_, -1));
  ++at_;
  if (given_up_) return handler_.on_dial_failed("given up");
  failure_ = explain(event.status);
  try_next();
}

}  // namespace toll::net
