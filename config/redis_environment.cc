#include <algorithm>
#include <array>
#include <optional>

#include "config/limits.h"
#include "config/redis.h"

namespace toll::config {
namespace {

// The variables of one run, and where what they say goes.
class Variables {
 public:
  Variables(const Environment& environment, Assembly& assembly)
      : environment_(environment), assembly_(assembly) {}

  // What is said of `variable`; an empty text is nothing.
  std::optional<std::string> said(const std::string& variable) const {
    const auto found = environment_.find(variable);
    if (found == environment_.end() || found->second.empty()) return std::nullopt;
    return found->second;
  }

  // Lets the row called `key` take what `variable` says, or `value` in its place.
  void apply(const std::string& variable, std::string_view key,
             const std::optional<std::string>& value) {
    if (!value) return;
    const size_t index = key_index(key);
    const Key<Draft>& row = keys()[index];
    if (take(row, "", value_from_text(*value, row.kind), origin(variable), assembly_.draft,
             assembly_.report)) {
      assembly_.origins[index] = origin(variable);
    }
  }
  void apply(const std::string& variable, std::string_view key) {
    apply(variable, key, said(variable));
  }

  void apply_address();
  void apply_port();
  void apply_database();
  void apply_tls();
  void apply_links();
  void apply_timeouts();
  void warn_of_sentinels();

 private:
  static Origin origin(const std::string& variable) { return {Layer::kEnvironment, {}, variable}; }
  void fault(const std::string& variable, std::string message) {
    assembly_.report.fault(origin(variable), "", std::move(message));
  }
  void change_url(const std::string& variable, RedisUrl url);
  void set_host(const std::string& variable, std::string host, std::optional<uint16_t> port);
  std::optional<int64_t> number(const std::string& variable, int64_t min, int64_t max);
  std::optional<std::string> duration(const std::string& variable);

  const Environment& environment_;
  Assembly& assembly_;
};

void Variables::change_url(const std::string& variable, RedisUrl url) {
  RedisDraft& draft = assembly_.draft.redis;
  Origin& named = assembly_.origins[key_index("redis.url")];
  if (draft.url && !draft.user_origin) draft.user_origin = named;
  draft.url = std::move(url);
  named = origin(variable);
}

void Variables::set_host(const std::string& variable, std::string host,
                         std::optional<uint16_t> port) {
  RedisUrl url = assembly_.draft.redis.url.value_or(RedisUrl{});
  url.path.clear();
  url.host = std::move(host);
  url.port = port.value_or(url.port);
  change_url(variable, std::move(url));
}

// What cannot be taken is not repeated: a url with a password is often put there by mistake.
void Variables::apply_address() {
  if (const auto text = said("REDIS_ADDRESS")) {
    auto address = parse_host_port(*text);
    if (address) {
      set_host("REDIS_ADDRESS", std::move(address->host), address->port);
    } else {
      fault("REDIS_ADDRESS",
            fmt::format("found {}, expected {}, as host:port", kNotShown, address.error()));
    }
  }
  if (const auto text = said("REDIS_HOST")) {
    auto host = parse_host(*text);
    if (host) {
      set_host("REDIS_HOST", *std::move(host), std::nullopt);
    } else {
      fault("REDIS_HOST",
            fmt::format("found {}, expected {}, without a port", kNotShown, host.error()));
    }
  }
}

std::optional<int64_t> Variables::number(const std::string& variable, int64_t min, int64_t max) {
  const auto text = said(variable);
  if (!text) return std::nullopt;
  const auto number = parse_count(*text);
  if (number && *number >= min && *number <= max) return *number;
  fault(variable, fmt::format("found the text \"{}\", expected a whole number from {} to {}",
                              shown(*text), min, max));
  return std::nullopt;
}

void Variables::apply_port() {
  // Beside a service that is called redis, Kubernetes sets this variable to an url of its own.
  if (said("REDIS_PORT").value_or("").starts_with("tcp://")) return;
  const auto port = number("REDIS_PORT", 1, UINT16_MAX);
  std::optional<RedisUrl> url = assembly_.draft.redis.url;
  if (!port || !url || url->host.empty()) return;
  url->port = static_cast<uint16_t>(*port);
  change_url("REDIS_PORT", *std::move(url));
}

void Variables::apply_database() {
  const auto database = number("REDIS_DB", 0, kDatabaseMax);
  std::optional<RedisUrl> url = assembly_.draft.redis.url;
  if (!database || !url) return;
  url->database = static_cast<uint32_t>(*database);
  change_url("REDIS_DB", *std::move(url));
}

void Variables::apply_tls() {
  const auto text = said("REDIS_TLS");
  if (!text) return;
  const Value value = value_from_text(*text, Kind::kBoolean);
  if (value.kind != Kind::kBoolean) {
    fault("REDIS_TLS", fmt::format("found {}, expected true or false", describe(value)));
  } else if (value.boolean) {
    fault("REDIS_TLS", std::string(misplaced_key_message("redis", "tls")));
  }
}

// Where each caller waits for its own reply, a pool is large. Ours need not be, so a large one is
// no fault.
void Variables::apply_links() {
  const auto links = number("REDIS_POOL_SIZE", 1, kClientsMax);
  if (!links) return;
  if (*links > kLinksMax) {
    assembly_.warnings.push_back(
        fmt::format("REDIS_POOL_SIZE is {}: {} links per worker are the most there are, and one is "
                    "mostly enough.",
                    *links, kLinksMax));
  }
  apply("REDIS_POOL_SIZE", "redis.links", fmt::format("{}", std::min(*links, kLinksMax)));
}

// A bare number is milliseconds. Nullopt: nothing was said, or what makes no duration.
std::optional<std::string> Variables::duration(const std::string& variable) {
  auto text = said(variable);
  if (text && parse_count(*text)) *text += "ms";
  if (!text || parse_duration_us(*text)) return text;
  fault(variable, fmt::format("found the text \"{}\", expected a duration as 250ms or 5s, or a "
                              "whole number of milliseconds",
                              shown(*text)));
  return std::nullopt;
}

void Variables::apply_timeouts() {
  apply("REDIS_DIAL_TIMEOUT", "redis.dial_timeout", duration("REDIS_DIAL_TIMEOUT"));
  // Reading, writing and the whole are one call here: none of them may be cut short.
  std::string longest;
  std::optional<std::string> text;
  for (const char* variable : {"REDIS_TIMEOUT", "REDIS_READ_TIMEOUT", "REDIS_WRITE_TIMEOUT"}) {
    auto one = duration(variable);
    if (!one || (text && *parse_duration_us(*one) <= *parse_duration_us(*text))) continue;
    text = std::move(one);
    longest = variable;
  }
  apply(longest, "redis.call_timeout", text);
}

void Variables::warn_of_sentinels() {
  for (const auto& [variable, value] : environment_) {
    if (!variable.starts_with("REDIS_SENTINEL") || value.empty()) continue;
    assembly_.warnings.push_back(fmt::format(
        "{} is set but has no effect: Sentinel comes in a later version.", shown(variable)));
  }
}

// Tollkeeper's own word goes first, as always.
bool switched_off(const Variables& variables) {
  for (const char* variable : {"TOLLKEEPER_REDIS_ENABLED", "REDIS_ENABLED"}) {
    const auto text = variables.said(variable);
    if (!text) continue;
    const Value value = value_from_text(*text, Kind::kBoolean);
    return value.kind == Kind::kBoolean && !value.boolean;
  }
  return false;
}

void set_password(const std::string& variable, const std::string& value, Assembly& assembly) {
  if (value.empty()) return;
  if (value.size() > kPasswordMax) {
    assembly.report.fault(
        {Layer::kEnvironment, {}, variable}, "",
        fmt::format("found over {0} bytes, expected a password of 1 to {0} bytes", kPasswordMax));
    return;
  }
  assembly.draft.redis.password = value;
  assembly.draft.redis.password_origin = "environment " + variable;
}

}  // namespace

void apply_redis_environment(const Environment& environment, Assembly& assembly) {
  Variables variables(environment, assembly);
  variables.apply("REDIS_ENABLED", "redis.enabled");
  if (switched_off(variables)) return;
  variables.apply("REDIS_URL", "redis.url");
  variables.apply_address();
  variables.apply_port();
  variables.apply_database();
  variables.apply_tls();
  variables.apply("REDIS_USERNAME", "redis.username");
  set_password("REDIS_PASSWORD", variables.said("REDIS_PASSWORD").value_or(""), assembly);
  variables.apply("REDIS_KEY_PREFIX", "redis.prefix");
  variables.apply_links();
  variables.apply_timeouts();
  variables.warn_of_sentinels();
}

bool apply_redis_password(const std::string& variable, const std::string& value,
                          Assembly& assembly) {
  if (variable != "TOLLKEEPER_REDIS_PASSWORD") return false;
  set_password(variable, value, assembly);
  return true;
}

}  // namespace toll::config
