// Fuzz target: any text as the place of a Redis: an url, host:port, or a host. What is taken is
// within its bounds and can be printed and read again, without user name and password.

#include <arpa/inet.h>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <netinet/in.h>
#include <string>
#include <string_view>
#include <sys/un.h>

#include "config/limits.h"
#include "config/redis_url.h"
#include "config/text.h"
#include "net/limits.h"
#include "net/redis_address.h"
#include "tests/fuzz/require.h"

namespace {

using toll::require;
using toll::config::is_plain_text;
using toll::config::RedisUrl;
using toll::net::RedisPlace;

// Only of what needs no name looked up.
void check_resolved(const RedisPlace& place) {
  in6_addr wanted{};
  const int family = place.host.contains(':') ? AF_INET6 : AF_INET;
  const bool numeric = inet_pton(family, place.host.c_str(), &wanted) == 1;
  if (place.path.empty() && !numeric) return;
  const auto address = toll::net::resolve(place);
  require(address.has_value() && !address->endpoints.empty(), "a place without a name is found");
  require(address->endpoints.size() <= toll::net::kRedisEndpointsMax, "endpoints in their bound");
  for (const auto& endpoint : address->endpoints) {
    const auto* const any = &endpoint.address;
    if (!place.path.empty()) {
      const auto* const unix_socket = reinterpret_cast<const sockaddr_un*>(any);
      require(unix_socket->sun_path == place.path, "a path is dialled as it was written");
    } else if (family == AF_INET) {
      const auto* const v4 = reinterpret_cast<const sockaddr_in*>(any);
      require(v4->sin_port == htons(place.port), "the port is dialled");
      require(std::memcmp(&v4->sin_addr, &wanted, sizeof v4->sin_addr) == 0, "and the address");
    } else {
      const auto* const v6 = reinterpret_cast<const sockaddr_in6*>(any);
      require(v6->sin6_port == htons(place.port), "the port is dialled");
      require(std::memcmp(&v6->sin6_addr, &wanted, sizeof wanted) == 0, "and the address");
    }
  }
}

void check_host(const std::string& host) {
  require(!host.empty() && host.size() <= toll::config::kHostMax, "a host within its bound");
  require(is_plain_text(host), "a host can be printed");
  require(toll::config::parse_host(host) == host, "a host is read again as it is");
}

void check_url(const RedisUrl& url) {
  require(url.host.empty() != url.path.empty(), "a host or a path");
  require(url.port > 0 && url.database <= toll::config::kDatabaseMax, "numbers in their bounds");
  require(url.username.size() <= toll::config::kUsernameMax && is_plain_text(url.username),
          "a user name in its bound that can be printed");
  require(url.password.size() <= toll::config::kPasswordMax, "a password in its bound");
  if (!url.host.empty()) check_host(url.host);
  require(url.path.empty() || url.path.front() == '/', "a path is absolute");
  require(url.path.size() <= toll::config::kRedisSocketPathMax && is_plain_text(url.path),
          "a path in its bound that can be printed");

  RedisUrl open = url;
  open.username.clear();
  open.password.clear();
  const std::string printed = print_redis_url(url);
  require(printed == print_redis_url(open), "neither user nor password is printed");
  require(is_plain_text(printed), "what is printed is text");
  require(toll::config::parse_redis_url(printed) == open, "what is printed is read alike");
  check_resolved({.host = url.host, .port = url.port, .path = url.path});
}

template <class Result>
bool taken(const Result& result) {
  if (result) return true;
  require(!result.error().empty() && is_plain_text(result.error()), "an error says what it wants");
  return false;
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): the fuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto url = toll::config::parse_redis_url(text);
  if (taken(url)) check_url(*url);
  const auto host = toll::config::parse_host(text);
  if (taken(host)) check_host(*host);
  const auto address = toll::config::parse_host_port(text);
  if (!taken(address)) return 0;
  check_host(address->host);
  const RedisPlace place{.host = address->host, .port = address->port, .path = ""};
  const auto again = toll::config::parse_host_port(place.display());
  require(again && again->host == address->host && again->port == address->port,
          "what messages call a place can be read as one");
  return 0;
}
