#include "config/keys.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cassert>
#include <utility>

#include "config/limits.h"
#include "engine/key_name.h"
#include "engine/money.h"

namespace toll::config {
namespace {

using K = Key<Draft>;

constexpr std::array<std::string_view, 3> kBackends = {"auto", "io_uring", "epoll"};

Objected take_backend(const Value& value, Draft& draft) {
  if (value.kind != Kind::kText) return objection(value);
  for (const std::string_view backend : kBackends) {
    if (value.text != backend) continue;
    draft.settings.server.backend = backend;
    return std::nullopt;
  }
  return objection(value);
}

Objected take_state_dir(const Value& value, Draft& draft) {
  if (value.kind != Kind::kText || !value.text.starts_with('/')) return objection(value);
  return take_text(value, kPathMax, draft.settings.server.state_dir);
}

constexpr Expected kTimeoutExpected = "a duration from 1ms to 1m";
constexpr Expected kOpenExpected = "a duration from 1ms to 10m";
constexpr Expected kRateExpected = "a number from 0 to 1";
static_assert(kTimeoutMinUs == 1'000 && kTimeoutMaxUs == 60'000'000 &&
              kBreakerOpenMaxUs == 600'000'000 && engine::kKeyPrefixMax == 128);

Objected take_url(const Value& value, Draft& draft) {
  draft.redis.url.reset();
  draft.redis.user_origin.reset();
  draft.redis.url_refused = true;
  if (value.kind != Kind::kText) return objection(value);
  if (!value.text.empty()) {
    auto url = parse_redis_url(value.text);
    if (!url) return objection(value, url.error());
    draft.redis.url = *std::move(url);
  }
  draft.redis.url_refused = false;
  return std::nullopt;
}

Objected take_enabled(const Value& value, Draft& draft) {
  bool enabled = false;
  if (const Objected objected = take_boolean(value, enabled)) return objected;
  draft.redis.enabled = enabled;
  return std::nullopt;
}

// "" or a text that take_text() takes.
Objected take_optional_text(const Value& value, size_t bytes_max, std::string& out) {
  if (value.kind != Kind::kText || !value.text.empty()) return take_text(value, bytes_max, out);
  out.clear();
  return std::nullopt;
}

// "" or an absolute path.
Objected take_optional_path(const Value& value, std::string& out) {
  if (value.kind != Kind::kText || (!value.text.empty() && !value.text.starts_with('/'))) {
    return objection(value);
  }
  return take_optional_text(value, kPathMax, out);
}

template <int64_t RedisSettings::* kMember>
Objected take_timeout(const Value& value, Draft& draft) {
  return take_duration(value, kTimeoutMinUs, kTimeoutMaxUs, draft.settings.redis.*kMember);
}
template <int64_t RedisSettings::* kMember>
std::string print_timeout(const Draft& draft) {
  return quote(format_duration(draft.settings.redis.*kMember));
}

using Breaker = engine::BreakerSettings;

template <int64_t Breaker::* kMember, int64_t kMaxUs>
Objected take_breaker_time(const Value& value, Draft& draft) {
  return take_duration(value, kTimeoutMinUs, kMaxUs, draft.settings.redis.breaker.*kMember);
}
template <int64_t Breaker::* kMember>
std::string print_breaker_time(const Draft& draft) {
  return quote(format_duration(draft.settings.redis.breaker.*kMember));
}
template <double Breaker::* kMember>
Objected take_rate(const Value& value, Draft& draft) {
  return take_real(value, 0, 1, draft.settings.redis.breaker.*kMember);
}
template <double Breaker::* kMember>
std::string print_rate(const Draft& draft) {
  return fmt::format("{}", draft.settings.redis.breaker.*kMember);
}

// Dollars as a text, or as a whole number.
Objected take_budget(const Value& value, Draft& draft) {
  if (value.kind == Kind::kText && value.text == "none") {
    draft.settings.costs.budget = engine::kNoBudget;
    return std::nullopt;
  }
  if (value.kind == Kind::kText) {
    const auto dollars = engine::parse_dollars(value.text);
    if (!dollars) return objection(value);
    draft.settings.costs.budget = *dollars;
    return std::nullopt;
  }
  int64_t dollars = 0;
  const int64_t dollars_max = engine::kDollarsMax / engine::kNanosPerDollar;
  if (const Objected objected = take_int64(value, 0, dollars_max, dollars)) return objected;
  draft.settings.costs.budget = dollars * engine::kNanosPerDollar;
  return std::nullopt;
}

std::string print_budget(const Draft& draft) {
  const engine::NanoDollars budget = draft.settings.costs.budget;
  return quote(budget == engine::kNoBudget ? "none" : engine::format_dollars(budget));
}

constexpr Expected kListenExpected =
    "an address and a port, as 127.0.0.1:9464 or [::1]:9464, or \"\" for no metrics";

// An address and not a name: which one a name stands for may change between two starts.
Objected take_listen(const Value& value, Draft& draft) {
  if (value.kind != Kind::kText) return objection(value);
  MetricsSettings& metrics = draft.settings.metrics;
  if (value.text.empty()) {
    metrics.host.clear();
    return std::nullopt;
  }
  const size_t colon = value.text.rfind(':');
  if (colon == std::string::npos) return objection(value);
  std::string host = value.text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  in6_addr address{};
  if (inet_pton(bracketed ? AF_INET6 : AF_INET, host.c_str(), &address) != 1) {
    return objection(value);
  }
  const auto port = parse_count(std::string_view(value.text).substr(colon + 1));
  if (!port || *port > UINT16_MAX) return objection(value);
  metrics.host = std::move(host);
  metrics.port = static_cast<uint16_t>(*port);
  return std::nullopt;
}

constexpr std::array kKeys = {
    K{"server", "socket", Kind::kText, "a path of 1 to 96 bytes",
      "\"/run/tollkeeper/tollkeeper.sock\"",
      [](const Value& v, Draft& d) {
        return take_text(v, kSocketPathMax, d.settings.server.socket);
      },
      [](const Draft& d) { return quote(d.settings.server.socket); }, Change::kByRestart},
    K{"server", "socket_mode", Kind::kText, "octal digits from \"0\" to \"0777\"", "\"0660\"",
      [](const Value& v, Draft& d) { return take_file_mode(v, d.settings.server.socket_mode); },
      [](const Draft& d) { return fmt::format("\"{:04o}\"", d.settings.server.socket_mode); },
      Change::kByRestart},
    K{"server", "socket_group", Kind::kText, "a group that exists on this host, or \"\" for none",
      "\"tollkeeper\"",
      [](const Value& v, Draft& d) { return take_group(v, d.settings.server.socket_group); },
      [](const Draft& d) { return quote(d.settings.server.socket_group); }, Change::kByRestart},
    K{"server", "admin_group", Kind::kText, "a group that exists on this host, or \"\" for none",
      "\"tollkeeper-admin\"",
      [](const Value& v, Draft& d) { return take_group(v, d.settings.server.admin_group); },
      [](const Draft& d) { return quote(d.settings.server.admin_group); }, Change::kByRestart},
    K{"server", "workers", Kind::kInteger, "a whole number from 0 (one per core) to 64", "2",
      [](const Value& v, Draft& d) {
        return take_number(v, 0, kWorkersMax, d.settings.server.workers);
      },
      [](const Draft& d) { return fmt::format("{}", d.settings.server.workers); },
      Change::kByRestart},
    K{"server", "backend", Kind::kText, "one of \"auto\", \"io_uring\", \"epoll\"", "\"auto\"",
      take_backend, [](const Draft& d) { return quote(d.settings.server.backend); },
      Change::kByRestart},
    K{"server", "max_line", Kind::kText, "a size from 1KiB to 1MiB", "\"64KiB\"",
      [](const Value& v, Draft& d) {
        return take_bytes(v, kLineBytesMin, kLineBytesMax, d.settings.server.max_line_bytes);
      },
      [](const Draft& d) {
        return quote(format_size(static_cast<int64_t>(d.settings.server.max_line_bytes)));
      },
      Change::kByRestart},
    K{"server", "max_clients", Kind::kInteger, "a whole number from 1 to 1000000", "10000",
      [](const Value& v, Draft& d) {
        return take_number(v, 1, kClientsMax, d.settings.server.max_clients);
      },
      [](const Draft& d) { return fmt::format("{}", d.settings.server.max_clients); },
      Change::kByRestart},
    K{"server", "max_output", Kind::kText, "a size from 64KiB to 1GiB", "\"8MiB\"",
      [](const Value& v, Draft& d) {
        return take_bytes(v, kOutputBytesMin, kOutputBytesMax, d.settings.server.max_output_bytes);
      },
      [](const Draft& d) {
        return quote(format_size(static_cast<int64_t>(d.settings.server.max_output_bytes)));
      },
      Change::kByRestart},
    K{"server", "memory", Kind::kText, "a size from 1MiB to 1024TiB", "\"1GiB\"",
      [](const Value& v, Draft& d) {
        return take_bytes(v, kMemoryBytesMin, kMemoryBytesMax, d.settings.server.memory_bytes);
      },
      [](const Draft& d) {
        return quote(format_size(static_cast<int64_t>(d.settings.server.memory_bytes)));
      },
      Change::kByRestart},
    K{"server", "state_dir", Kind::kText, "an absolute path", "\"/var/lib/tollkeeper\"",
      take_state_dir, [](const Draft& d) { return quote(d.settings.server.state_dir); },
      Change::kByRestart},
    K{"redis", "enabled", Kind::kBoolean, "true or false", "true", take_enabled,
      [](const Draft& d) { return fmt::format("{}", d.settings.redis.enabled); },
      Change::kByRestart},
    K{"redis", "url", Kind::kText, "redis://[user[:password]@]host[:port][/db] or unix:///path",
      "\"redis://localhost:6379/0\"", take_url,
      [](const Draft& d) { return quote(d.settings.redis.url); }, Change::kByRestart, true},
    K{"redis", "username", Kind::kText, "a user name of at most 256 bytes, or \"\" for the default",
      "\"tollkeeper\"",
      [](const Value& v, Draft& d) {
        return take_optional_text(v, kUsernameMax, d.settings.redis.username);
      },
      [](const Draft& d) { return quote(d.settings.redis.username); }, Change::kByRestart},
    K{"redis", "password_file", Kind::kText, "an absolute path, or \"\" for none",
      "\"/etc/tollkeeper/redis-password\"",
      [](const Value& v, Draft& d) {
        return take_optional_path(v, d.settings.redis.password_file);
      },
      [](const Draft& d) { return quote(d.settings.redis.password_file); }, Change::kByRestart,
      true},
    K{"redis", "prefix", Kind::kText, "a text of at most 128 bytes", "\"gateway:\"",
      [](const Value& v, Draft& d) {
        return take_optional_text(v, engine::kKeyPrefixMax, d.settings.redis.prefix);
      },
      [](const Draft& d) { return quote(d.settings.redis.prefix); }, Change::kByRestart},
    K{"redis", "links", Kind::kInteger, "a whole number from 1 to 16", "1",
      [](const Value& v, Draft& d) { return take_number(v, 1, kLinksMax, d.settings.redis.links); },
      [](const Draft& d) { return fmt::format("{}", d.settings.redis.links); }, Change::kByRestart},
    K{"redis", "dial_timeout", Kind::kText, kTimeoutExpected, "\"1s\"",
      take_timeout<&RedisSettings::dial_timeout_us>, print_timeout<&RedisSettings::dial_timeout_us>,
      Change::kByRestart},
    K{"redis", "call_timeout", Kind::kText, kTimeoutExpected, "\"250ms\"",
      take_timeout<&RedisSettings::call_timeout_us>, print_timeout<&RedisSettings::call_timeout_us>,
      Change::kByRestart},
    K{"redis", "health_interval", Kind::kText, kTimeoutExpected, "\"1s\"",
      take_timeout<&RedisSettings::health_interval_us>,
      print_timeout<&RedisSettings::health_interval_us>, Change::kByRestart},
    K{"redis.breaker", "failures", Kind::kInteger, "a whole number from 1 to 1000000", "5",
      [](const Value& v, Draft& d) {
        return take_number(v, 1, kBreakerFailuresMax, d.settings.redis.breaker.failures);
      },
      [](const Draft& d) { return fmt::format("{}", d.settings.redis.breaker.failures); },
      Change::kByRestart},
    K{"redis.breaker", "failure_rate", Kind::kReal, kRateExpected, "0.5",
      take_rate<&Breaker::failure_rate>, print_rate<&Breaker::failure_rate>, Change::kByRestart},
    K{"redis.breaker", "slow_call", Kind::kText, kTimeoutExpected, "\"50ms\"",
      take_breaker_time<&Breaker::slow_call_us, kTimeoutMaxUs>,
      print_breaker_time<&Breaker::slow_call_us>, Change::kByRestart},
    K{"redis.breaker", "slow_rate", Kind::kReal, kRateExpected, "0.8",
      take_rate<&Breaker::slow_rate>, print_rate<&Breaker::slow_rate>, Change::kByRestart},
    K{"redis.breaker", "open", Kind::kText, kOpenExpected, "\"250ms\"",
      take_breaker_time<&Breaker::open_us, kBreakerOpenMaxUs>,
      print_breaker_time<&Breaker::open_us>, Change::kByRestart},
    K{"redis.breaker", "open_max", Kind::kText, kOpenExpected, "\"10s\"",
      take_breaker_time<&Breaker::open_max_us, kBreakerOpenMaxUs>,
      print_breaker_time<&Breaker::open_max_us>, Change::kByRestart},
    K{"defaults", "algorithm", Kind::kText, kAlgorithmExpected, "\"gcra\"",
      [](const Value& v, Draft& d) { return take_algorithm(v, d.defaults.algorithm); },
      [](const Draft& d) { return quote(to_string(d.defaults.algorithm)); }},
    K{"defaults", "mode", Kind::kText, kModeExpected, "\"exact\"",
      [](const Value& v, Draft& d) { return take_mode(v, d.defaults.mode); },
      [](const Draft& d) { return quote(to_string(d.defaults.mode)); }},
    K{"defaults", "on_outage", Kind::kText, kOnOutageExpected, "\"local\"",
      [](const Value& v, Draft& d) { return take_on_outage(v, d.defaults.on_outage); },
      [](const Draft& d) { return quote(to_string(d.defaults.on_outage)); }},
    K{"defaults", "deadline", Kind::kText, kDeadlineExpected, "\"50ms\"",
      [](const Value& v, Draft& d) { return take_deadline(v, d.defaults.deadline_us); },
      [](const Draft& d) { return quote(format_duration(d.defaults.deadline_us)); }},
    K{"costs", "enabled", Kind::kBoolean, "true or false", "true",
      [](const Value& v, Draft& d) { return take_boolean(v, d.settings.costs.enabled); },
      [](const Draft& d) { return fmt::format("{}", d.settings.costs.enabled); },
      Change::kByRestart},
    K{"costs", "budget", Kind::kText, "dollars with at most 9 decimals, or \"none\"", "\"25.50\"",
      take_budget, print_budget, Change::kByRestart},
    K{"costs", "layout", Kind::kText, "one of \"hash\", \"string\"", "\"hash\"",
      [](const Value& v, Draft& d) {
        using enum engine::CostLayout;
        return take_choice(v, {kHash, kString}, d.settings.costs.layout);
      },
      [](const Draft& d) { return quote(to_string(d.settings.costs.layout)); }, Change::kByRestart},
    K{"costs", "ack", Kind::kText, "one of \"disk\", \"redis\"", "\"disk\"",
      [](const Value& v, Draft& d) {
        return take_choice(v, {CostAck::kDisk, CostAck::kRedis}, d.settings.costs.ack);
      },
      [](const Draft& d) { return quote(to_string(d.settings.costs.ack)); }, Change::kByRestart},
    K{"costs", "hold_ttl", Kind::kText, "a duration from 1s to 1d", "\"5m\"",
      [](const Value& v, Draft& d) {
        return take_duration(v, kHoldTtlMinUs, kHoldTtlMaxUs, d.settings.costs.hold_ttl_us);
      },
      [](const Draft& d) { return quote(format_duration(d.settings.costs.hold_ttl_us)); },
      Change::kByRestart},
    K{"costs", "journal_max", Kind::kText, "a size from 64MiB to 1024TiB", "\"4GiB\"",
      [](const Value& v, Draft& d) {
        return take_size(v, kJournalBytesMin, kJournalBytesMax, d.settings.costs.journal_max_bytes);
      },
      [](const Draft& d) { return quote(format_size(d.settings.costs.journal_max_bytes)); },
      Change::kByRestart},
    K{"costs", "journal_retain", Kind::kText, "a duration from 1s to 7d", "\"10m\"",
      [](const Value& v, Draft& d) {
        return take_duration(v, kJournalRetainMinUs, kJournalRetainMaxUs,
                             d.settings.costs.journal_retain_us);
      },
      [](const Draft& d) { return quote(format_duration(d.settings.costs.journal_retain_us)); },
      Change::kByRestart},
    K{"costs", "allow_unsafe_eviction", Kind::kBoolean, "true or false", "false",
      [](const Value& v, Draft& d) {
        return take_boolean(v, d.settings.costs.allow_unsafe_eviction);
      },
      [](const Draft& d) { return fmt::format("{}", d.settings.costs.allow_unsafe_eviction); },
      Change::kByRestart},
    K{"logs", "enabled", Kind::kBoolean, "true or false", "true",
      [](const Value& v, Draft& d) { return take_boolean(v, d.settings.logs.enabled); },
      [](const Draft& d) { return fmt::format("{}", d.settings.logs.enabled); },
      Change::kByRestart},
    K{"logs", "format", Kind::kText, "one of \"json\", \"text\"", "\"json\"",
      [](const Value& v, Draft& d) {
        using enum LogRecordFormat;
        return take_choice(v, {kJson, kText}, d.settings.logs.format);
      },
      [](const Draft& d) { return quote(to_string(d.settings.logs.format)); }, Change::kByRestart},
    K{"logs", "key", Kind::kText, "a text of 1 to 256 bytes", "\"logs:queue\"",
      [](const Value& v, Draft& d) { return take_text(v, kLogKeyMax, d.settings.logs.key); },
      [](const Draft& d) { return quote(d.settings.logs.key); }, Change::kByRestart},
    K{"logs", "max", Kind::kInteger, "a number from 1 to 1000000000", "100000",
      [](const Value& v, Draft& d) {
        return take_int64(v, 1, kLogRecordsMax, d.settings.logs.max);
      },
      [](const Draft& d) { return fmt::format("{}", d.settings.logs.max); }, Change::kByRestart},
    K{"logs", "max_record", Kind::kText, "a size from 1KiB to 60KiB", "\"32KiB\"",
      [](const Value& v, Draft& d) {
        return take_size(v, kLogRecordBytesMin, kLogRecordBytesMax,
                         d.settings.logs.record_bytes_max);
      },
      [](const Draft& d) { return quote(format_size(d.settings.logs.record_bytes_max)); },
      Change::kByRestart},
    K{"logs", "spill_max", Kind::kText, "a size from 64MiB to 1024TiB", "\"1GiB\"",
      [](const Value& v, Draft& d) {
        return take_size(v, kJournalBytesMin, kJournalBytesMax, d.settings.logs.spill_bytes_max);
      },
      [](const Draft& d) { return quote(format_size(d.settings.logs.spill_bytes_max)); },
      Change::kByRestart},
    K{"metrics", "listen", Kind::kText, kListenExpected, "\"127.0.0.1:9464\"", take_listen,
      [](const Draft& d) { return quote(format_listen(d.settings.metrics)); }, Change::kByRestart},
    K{"audit", "file", Kind::kText, "the absolute path of a file, or \"\" for no audit log",
      "\"/var/log/tollkeeper/audit.log\"",
      [](const Value& v, Draft& d) { return take_optional_path(v, d.settings.audit.file); },
      [](const Draft& d) { return quote(d.settings.audit.file); }, Change::kByRestart},
    K{"audit", "max_size", Kind::kText, "a size from 64KiB to 1TiB", "\"64MiB\"",
      [](const Value& v, Draft& d) {
        return take_size(v, kAuditBytesMin, kAuditBytesMax, d.settings.audit.file_bytes_max);
      },
      [](const Draft& d) { return quote(format_size(d.settings.audit.file_bytes_max)); },
      Change::kByRestart},
    K{"audit", "keep", Kind::kInteger, "a whole number from 1 to 1000", "10",
      [](const Value& v, Draft& d) {
        return take_number(v, 1, kAuditFilesMax, d.settings.audit.keep);
      },
      [](const Draft& d) { return fmt::format("{}", d.settings.audit.keep); }, Change::kByRestart},
    K{"audit", "key_file", Kind::kText, "an absolute path, or \"\" for none",
      "\"/etc/tollkeeper/audit-key\"",
      [](const Value& v, Draft& d) { return take_optional_path(v, d.settings.audit.key_file); },
      [](const Draft& d) { return quote(d.settings.audit.key_file); }, Change::kByRestart, true},
    K{"audit", "refusals_per_second", Kind::kInteger, "a whole number from 0 to 1000000", "100",
      [](const Value& v, Draft& d) {
        return take_number(v, 0, kAuditRefusalsMax, d.settings.audit.refusals_per_second);
      },
      [](const Draft& d) { return fmt::format("{}", d.settings.audit.refusals_per_second); },
      Change::kByRestart},
    K{"log", "level", Kind::kText,
      "one of \"trace\", \"debug\", \"info\", \"warn\", \"error\", \"off\"", "\"info\"",
      [](const Value& v, Draft& d) {
        using enum LogLevel;
        return take_choice(v, {kTrace, kDebug, kInfo, kWarn, kError, kOff}, d.settings.log.level);
      },
      [](const Draft& d) { return quote(to_string(d.settings.log.level)); }},
    K{"log", "format", Kind::kText, "one of \"auto\", \"text\", \"json\", \"journal\"", "\"auto\"",
      [](const Value& v, Draft& d) {
        using enum LogFormat;
        return take_choice(v, {kAuto, kText, kJson, kJournal}, d.settings.log.format);
      },
      [](const Draft& d) { return quote(to_string(d.settings.log.format)); }, Change::kByRestart},
};

struct Misplaced {
  std::string_view section;
  std::string_view name;
  std::string_view message;
};

constexpr std::string_view kTls =
    "TLS comes in a later version, expected it to be left out: Redis on this host, or a tunnel";
constexpr std::string_view kSentinel =
    "Sentinel comes in a later version, expected the address of one Redis as url";
constexpr std::array kMisplaced = {
    Misplaced{"redis", "tls", kTls},
    Misplaced{"redis", "sentinel", kSentinel},
    Misplaced{"redis", "sentinels", kSentinel},
    Misplaced{"redis", "cluster",
              "Redis Cluster comes in a later version, expected the address of one Redis as url"},
    Misplaced{"redis", "password",
              "a password has no place among the settings, expected password_file, the systemd "
              "credential redis-password or the variable REDIS_PASSWORD"},
};

}  // namespace

std::span<const Key<Draft>> keys() {
  return kKeys;
}

std::string_view misplaced_key_message(std::string_view section, std::string_view name) {
  const auto found = std::ranges::find_if(kMisplaced, [&](const Misplaced& misplaced) {
    return misplaced.section == section && misplaced.name == name;
  });
  return found == kMisplaced.end() ? "" : found->message;
}

std::string full_name(const Key<Draft>& key) {
  return fmt::format("{}.{}", key.section, key.name);
}

size_t key_index(std::string_view name) {
  const auto found = std::ranges::find(kKeys, name, full_name);
  assert(found != kKeys.end());
  return static_cast<size_t>(found - kKeys.begin());
}

Objected take_algorithm(const Value& value, engine::Algorithm& out) {
  using enum engine::Algorithm;
  return take_choice(
      value, {kGcra, kTokenBucket, kSlidingLog, kSlidingWindow, kFixedWindow, kConcurrency}, out);
}

Objected take_mode(const Value& value, engine::Mode& out) {
  using enum engine::Mode;
  return take_choice(value, {kExact, kLeased, kLocal}, out);
}

Objected take_on_outage(const Value& value, engine::OnOutage& out) {
  using enum engine::OnOutage;
  return take_choice(value, {kLocal, kAllow, kDeny}, out);
}

Objected take_deadline(const Value& value, int64_t& out_us) {
  return take_duration(value, kDeadlineMinUs, kDeadlineMaxUs, out_us);
}

std::string_view to_string(CostAck ack) {
  return ack == CostAck::kDisk ? "disk" : "redis";
}

std::string format_listen(const MetricsSettings& metrics) {
  if (metrics.host.empty()) return "";
  const bool bracketed = metrics.host.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", bracketed ? "[" : "", metrics.host, bracketed ? "]" : "",
                     metrics.port);
}

std::string_view to_string(LogFormat format) {
  switch (format) {
    case LogFormat::kAuto:
      return "auto";
    case LogFormat::kText:
      return "text";
    case LogFormat::kJson:
      return "json";
    case LogFormat::kJournal:
      return "journal";
  }
  return "";
}

std::string_view to_string(LogRecordFormat format) {
  return format == LogRecordFormat::kJson ? "json" : "text";
}

}  // namespace toll::config
