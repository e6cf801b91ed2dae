#include "config/redis_url.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cassert>
#include <fmt/format.h>
#include <netinet/in.h>
#include <optional>

#include "config/limits.h"
#include "config/report.h"
#include "config/text.h"

namespace toll::config {
namespace {

constexpr Expected kUrlExpected =
    "redis://[user[:password]@]host[:port][/db] or unix:///path[?db=n], special characters of a "
    "password as %XX";
constexpr Expected kTlsExpected = "redis://, as TLS comes in a later version";
constexpr Expected kSentinelExpected =
    "the address of one Redis, as Sentinel comes in a later version";
constexpr Expected kHostExpected = "the name or address of a host, IPv6 in brackets";
constexpr Expected kPortExpected = "a port from 1 to 65535";
constexpr Expected kDatabaseExpected = "a database from 0 to 65535";
constexpr Expected kPathExpected = "an absolute path of at most 107 bytes after unix://";
constexpr Expected kPercentExpected = "two hexadecimal digits after each %";
constexpr Expected kUserExpected = "a user name of at most 256 bytes of plain text";
constexpr Expected kPasswordExpected = "a password of at most 4096 bytes";

std::optional<int> hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

std::expected<std::string, Expected> percent_decode(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    if (text.front() != '%') {
      out += text.front();
      text.remove_prefix(1);
      continue;
    }
    const auto high = text.size() > 2 ? hex_digit(text[1]) : std::nullopt;
    const auto low = text.size() > 2 ? hex_digit(text[2]) : std::nullopt;
    if (!high || !low) return std::unexpected(kPercentExpected);
    out += static_cast<char>(*high * 16 + *low);
    text.remove_prefix(3);
  }
  return out;
}

std::string percent_encode(std::string_view path) {
  std::string out;
  for (const char c : path) {
    if (c == '%' || c == '?' || c == '#' || c == '@') {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out;
}

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '_';
}

// With a zone behind a '%', as fe80::1%eth0.
bool is_ipv6(std::string_view text) {
  const size_t zone = std::min(text.find('%'), text.size());
  const std::string_view name = text.substr(std::min(zone + 1, text.size()));
  if (zone < text.size() && (name.empty() || !std::ranges::all_of(name, is_name_character))) {
    return false;
  }
  // It would end the text that is looked at, and anything could follow.
  if (text.contains('\0')) return false;
  in6_addr address{};
  return inet_pton(AF_INET6, std::string(text.substr(0, zone)).c_str(), &address) == 1;
}

bool is_host(std::string_view text) {
  if (text.empty() || text.size() > kHostMax) return false;
  return is_ipv6(text) || std::ranges::all_of(text, is_name_character);
}

template <class Number>
std::expected<Number, Expected> parse_number(std::string_view text, int64_t min, int64_t max,
                                             Expected expected) {
  const auto number = parse_count(text);
  if (!number || *number < min || *number > max) return std::unexpected(expected);
  return static_cast<Number>(*number);
}

// Takes "user:password@" off the front of `rest`.
std::expected<void, Expected> take_user(std::string_view& rest, RedisUrl& url) {
  const std::string_view authority = rest.substr(0, std::min(rest.find('/'), rest.size()));
  const size_t at = authority.rfind('@');
  if (at == std::string_view::npos) return {};
  const size_t colon = std::min(authority.find(':'), at);
  auto username = percent_decode(authority.substr(0, colon));
  if (!username) return std::unexpected(username.error());
  if (username->size() > kUsernameMax || !is_plain_text(*username)) {
    return std::unexpected(kUserExpected);
  }
  auto password = percent_decode(colon < at ? authority.substr(colon + 1, at - colon - 1) : "");
  if (!password) return std::unexpected(password.error());
  if (password->size() > kPasswordMax) return std::unexpected(kPasswordExpected);
  url.username = *std::move(username);
  url.password = *std::move(password);
  rest.remove_prefix(at + 1);
  return {};
}

std::expected<RedisUrl, Expected> parse_unix(std::string_view rest) {
  constexpr std::string_view kDatabase = "db=";
  RedisUrl url;
  if (auto taken = take_user(rest, url); !taken) return std::unexpected(taken.error());
  const size_t question = std::min(rest.find('?'), rest.size());
  auto path = percent_decode(rest.substr(0, question));
  if (!path) return std::unexpected(path.error());
  if (!path->starts_with('/') || path->size() > kRedisSocketPathMax || !is_plain_text(*path)) {
    return std::unexpected(kPathExpected);
  }
  url.path = *std::move(path);
  if (question == rest.size()) return url;
  const std::string_view query = rest.substr(question + 1);
  if (!query.starts_with(kDatabase)) return std::unexpected(kUrlExpected);
  const auto database =
      parse_number<uint32_t>(query.substr(kDatabase.size()), 0, kDatabaseMax, kDatabaseExpected);
  if (!database) return std::unexpected(database.error());
  url.database = *database;
  return url;
}

std::expected<RedisUrl, Expected> parse_tcp(std::string_view rest) {
  RedisUrl url;
  if (auto taken = take_user(rest, url); !taken) return std::unexpected(taken.error());
  const size_t slash = std::min(rest.find('/'), rest.size());
  const auto authority = percent_decode(rest.substr(0, slash));
  if (!authority) return std::unexpected(authority.error());
  auto address = parse_host_port(*authority);
  if (!address) return std::unexpected(address.error());
  url.host = std::move(address->host);
  url.port = address->port;
  const std::string_view database = rest.substr(std::min(slash + 1, rest.size()));
  if (database.empty()) return url;
  const auto number = parse_number<uint32_t>(database, 0, kDatabaseMax, kDatabaseExpected);
  if (!number) return std::unexpected(number.error());
  url.database = *number;
  return url;
}

}  // namespace

std::expected<RedisUrl, Expected> parse_redis_url(std::string_view text) {
  constexpr std::string_view kSeparator = "://";
  const size_t end = text.find(kSeparator);
  if (end == std::string_view::npos || text.size() > kUrlMax) return std::unexpected(kUrlExpected);
  const std::string scheme = to_lower(text.substr(0, end));
  const std::string_view rest = text.substr(end + kSeparator.size());
  if (scheme == "redis") return parse_tcp(rest);
  if (scheme == "unix") return parse_unix(rest);
  if (scheme == "rediss") return std::unexpected(kTlsExpected);
  if (scheme == "redis-sentinel" || scheme == "redis+sentinel") {
    return std::unexpected(kSentinelExpected);
  }
  return std::unexpected(kUrlExpected);
}

std::expected<HostPort, Expected> parse_host_port(std::string_view text) {
  std::string_view host;
  std::string_view rest;
  if (text.starts_with('[')) {
    const size_t bracket = text.find(']');
    if (bracket == std::string_view::npos) return std::unexpected(kHostExpected);
    host = text.substr(1, bracket - 1);
    rest = text.substr(bracket + 1);
    if (!is_ipv6(host)) return std::unexpected(kHostExpected);
  } else {
    const size_t colon = std::min(text.find(':'), text.size());
    host = text.substr(0, colon);
    rest = text.substr(colon);
  }
  if (!is_host(host)) return std::unexpected(kHostExpected);
  HostPort address{std::string(host)};
  if (rest.empty()) return address;
  if (!rest.starts_with(':')) return std::unexpected(kHostExpected);
  const auto port = parse_number<uint16_t>(rest.substr(1), 1, UINT16_MAX, kPortExpected);
  if (!port) return std::unexpected(port.error());
  address.port = *port;
  return address;
}

std::expected<std::string, Expected> parse_host(std::string_view text) {
  if (text.starts_with('[') && text.ends_with(']')) {
    text = text.substr(1, text.size() - 2);
    if (!is_ipv6(text)) return std::unexpected(kHostExpected);
  }
  if (!is_host(text)) return std::unexpected(kHostExpected);
  return std::string(text);
}

std::string print_redis_url(const RedisUrl& url) {
  assert(!url.host.empty() || !url.path.empty());
  if (!url.path.empty()) {
    const std::string path = percent_encode(url.path);
    return url.database == 0 ? fmt::format("unix://{}", path)
                             : fmt::format("unix://{}?db={}", path, url.database);
  }
  // The zone's sign would otherwise read as the beginning of a %XX.
  const std::string host = url.host.find(':') == std::string::npos
                               ? url.host
                               : fmt::format("[{}]", percent_encode(url.host));
  return fmt::format("redis://{}:{}/{}", host, url.port, url.database);
}

}  // namespace toll::config
