// Where a Redis is, as operators write it: redis://[user[:password]@]host[:port][/db] or
// unix://[user[:password]@]/path[?db=n].
//
// Opens and resolves nothing. Pure functions, any thread; they allocate what they return. Their
// errors are fixed texts without any part of what was given, which may hold a password.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "config/units.h"

namespace toll::config {

struct RedisUrl {
  std::string host;  // a name, or an address of either family without brackets; "" for a path
  uint16_t port = 6379;
  std::string path;  // of a Unix socket
  uint32_t database = 0;
  std::string username;
  std::string password;

  bool operator==(const RedisUrl&) const = default;
};

// Any byte may be spelled %XX; in a user name or password, those that mean something in a url must
// be. A host, a path and a user name are text that can be printed.
[[nodiscard]] std::expected<RedisUrl, Expected> parse_redis_url(std::string_view text);

struct HostPort {
  std::string host;
  uint16_t port = 6379;
};

// "host", "host:port", "[::1]" or "[::1]:port". Without brackets nobody could tell the port of an
// address of IPv6 from its end.
[[nodiscard]] std::expected<HostPort, Expected> parse_host_port(std::string_view text);

// "host", "[::1]" or "::1": no port.
[[nodiscard]] std::expected<std::string, Expected> parse_host(std::string_view text);

// The url back, without user name and password. REQUIRES: a host or a path.
[[nodiscard]] std::string print_redis_url(const RedisUrl& url);

}  // namespace toll::config
