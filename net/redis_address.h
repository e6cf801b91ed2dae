// Where a Redis is: a host and port, or a Unix socket, and the addresses that stand for it. Values;
// any thread.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <sys/socket.h>
#include <vector>

namespace toll::net {

struct RedisPlace {
  std::string host;  // a name or a number, IPv6 without brackets; "" for a Unix socket
  uint16_t port = 6379;
  std::string path;  // of a Unix socket

  // host:port or the path, for messages.
  std::string display() const;
};

// Addresses to dial, tried in turn; at most kRedisEndpointsMax.
struct RedisAddress {
  struct Endpoint {
    sockaddr_storage address{};
    socklen_t length = 0;
  };
  std::vector<Endpoint> endpoints;
  std::string display;  // of the place, for messages
};

// Asks the resolver, and so may block for seconds: not for a worker's thread. Error: a sentence.
std::expected<RedisAddress, std::string> resolve(const RedisPlace& place);

}  // namespace toll::net
