#include "net/redis_address.h"

#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <memory>
#include <netdb.h>
#include <sys/un.h>

#include "net/limits.h"

namespace toll::net {
namespace {

RedisAddress of_path(const RedisPlace& place) {
  RedisAddress::Endpoint endpoint;
  auto& address = reinterpret_cast<sockaddr_un&>(endpoint.address);
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, place.path.data(), place.path.size());
  endpoint.length = sizeof address;
  return {.endpoints = {endpoint}, .display = place.display()};
}

}  // namespace

std::string RedisPlace::display() const {
  if (!path.empty()) return path;
  return host.contains(':') ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

std::expected<RedisAddress, std::string> resolve(const RedisPlace& place) {
  if (!place.path.empty()) {
    if (place.path.size() < sizeof(sockaddr_un::sun_path)) return of_path(place);
    return std::unexpected(fmt::format("{} is too long for the path of a Unix socket", place.path));
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int error =
      ::getaddrinfo(place.host.c_str(), std::to_string(place.port).c_str(), &hints, &list);
  if (error != 0) {
    const char* why = error == EAI_SYSTEM ? std::strerror(errno) : ::gai_strerror(error);
    return std::unexpected(
        fmt::format("the name {} cannot be resolved: {}; is it written right, and does the "
                    "resolver (/etc/resolv.conf) answer?",
                    place.host, why));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, &::freeaddrinfo);
  RedisAddress found{.endpoints = {}, .display = place.display()};
  for (; list != nullptr && found.endpoints.size() < kRedisEndpointsMax; list = list->ai_next) {
    RedisAddress::Endpoint endpoint;
    if (list->ai_addrlen > sizeof endpoint.address) continue;
    std::memcpy(&endpoint.address, list->ai_addr, list->ai_addrlen);
    endpoint.length = list->ai_addrlen;
    found.endpoints.push_back(endpoint);
  }
  return found;
}

}  // namespace toll::net
