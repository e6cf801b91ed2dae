// What the operator can set, as the rest of the program uses it: typed, checked, in base units.
// Plain values; made by config/load.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

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

enum class LogLevel : uint8_t { kTrace, kDebug, kInfo, kWarn, kError, kOff };
enum class LogFormat : uint8_t { kAuto, kText, kJson, kJournal };

struct LogSettings {
  LogLevel level = LogLevel::kInfo;
  LogFormat format = LogFormat::kAuto;

  bool operator==(const LogSettings&) const = default;
};

struct Settings {
  ServerSettings server;
  LogSettings log;
  std::vector<engine::PolicySpec> policies;
};

}  // namespace toll::config
