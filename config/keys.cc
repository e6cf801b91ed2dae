#include "config/keys.h"

#include <array>

#include "config/limits.h"

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

constexpr std::array<std::string_view, 4> kLaterTables = {"redis", "costs", "logs", "metrics"};

}  // namespace

std::span<const Key<Draft>> keys() {
  return kKeys;
}

std::span<const std::string_view> later_tables() {
  return kLaterTables;
}

std::string later_table_message(std::string_view section) {
  return fmt::format(
      "this version answers from this host alone and has no [{}] yet, expected it to be left out",
      section);
}

std::string full_name(const Key<Draft>& key) {
  return fmt::format("{}.{}", key.section, key.name);
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

}  // namespace toll::config
