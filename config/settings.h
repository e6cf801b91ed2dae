// What the operator can set, as the rest of the program uses it: typed, checked, in base units.
// Plain values; made by config/load.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/breaker.h"
#include "engine/cost_call.h"
#include "engine/money.h"
#include "engine/policy.h"

namespace toll::config {

struct ServerSettings {
  std::string socket;  // never empty once loaded
  uint32_t socket_mode = 0660;
  std::string socket_group;      // "" leaves the group as created
  std::string admin_group;       // "" is nobody beside root and the daemon's own user
  uint32_t workers = 0;          // 0: one per core this process may use
  std::string backend = "auto";  // auto | io_uring | epoll
  size_t max_line_bytes = 64 * 1024;
  uint32_t max_clients = 10'000;
  size_t max_output_bytes = size_t{8} << 20;
  size_t memory_bytes = size_t{1} << 30;
  std::string state_dir;

  bool operator==(const ServerSettings&) const = default;
};

// The Redis behind this host. Where `enabled` is false, nothing else in it counts.
struct RedisSettings {
  bool enabled = false;
  std::string url;   // where it is, without user and password; "" if nobody said
  std::string host;  // "" for a Unix socket
  uint16_t port = 6379;
  std::string path;  // of a Unix socket; "" for a host
  uint32_t database = 0;
  std::string username;       // "" is Redis' default user
  std::string password;       // "" is none; never to be printed or logged
  std::string password_file;  // as the operator named it; "" is none
  std::string
      password_path;   // what `password` was read from: a file or a credential; "" is neither
  std::string prefix;  // before every key and channel
  uint32_t links = 1;  // connections per worker
  int64_t dial_timeout_us = 1'000'000;
  int64_t call_timeout_us = 250'000;
  int64_t health_interval_us = 1'000'000;
  engine::BreakerSettings breaker;

  bool operator==(const RedisSettings&) const = default;
};

enum class CostAck : uint8_t { kDisk, kRedis };

struct CostsSettings {
  bool enabled = true;
  engine::NanoDollars budget = engine::kNoBudget;  // of a month, for an id without its own
  engine::CostLayout layout = engine::CostLayout::kHash;
  CostAck ack = CostAck::kDisk;  // when a charge is acknowledged
  int64_t hold_ttl_us = 300'000'000;
  int64_t journal_max_bytes = int64_t{4} << 30;
  int64_t journal_retain_us = 600'000'000;
  bool allow_unsafe_eviction = false;

  bool operator==(const CostsSettings&) const = default;
};

enum class LogRecordFormat : uint8_t { kJson, kText };

// LOG: records on their way from gateways to their archive.
struct LogsSettings {
  bool enabled = true;
  LogRecordFormat format = LogRecordFormat::kJson;
  std::string key = "logs:queue";
  int64_t max = 100'000;  // records, of the whole fleet
  int64_t record_bytes_max = int64_t{32} << 10;
  int64_t spill_bytes_max = int64_t{1} << 30;

  bool operator==(const LogsSettings&) const = default;
};

// Where the metrics page listens, over HTTP.
struct MetricsSettings {
  std::string host = "127.0.0.1";  // an address of either family; "" is off
  uint16_t port = 9464;            // 0: any that is free
  bool named = false;              // by the operator: it must be had

  bool operator==(const MetricsSettings&) const = default;
};

// What the audit log is; "" as file is none.
struct AuditSettings {
  std::string file;
  int64_t file_bytes_max = int64_t{64} << 20;  // then it is rotated
  uint32_t keep = 10;                          // rotated files
  std::string key_file;                        // as the operator named it; "" is none
  std::string key;                     // what it, or the credential, holds; never to be told
  uint32_t refusals_per_second = 100;  // recorded; the others are counted

  bool operator==(const AuditSettings&) const = default;
};

enum class LogLevel : uint8_t { kTrace, kDebug, kInfo, kWarn, kError, kOff };
enum class LogFormat : uint8_t { kAuto, kText, kJson, kJournal };

struct LogSettings {
  LogLevel level = LogLevel::kInfo;
  LogFormat format = LogFormat::kAuto;

  bool operator==(const LogSettings&) const = default;
};

struct Settings {
  ServerSettings server;
  RedisSettings redis;
  CostsSettings costs;
  LogsSettings logs;
  MetricsSettings metrics;
  AuditSettings audit;
  LogSettings log;
  std::vector<engine::PolicySpec> policies;
};

}  // namespace toll::config
