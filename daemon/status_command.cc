#include "daemon/status_command.h"

#include <chrono>
#include <ctime>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include "daemon/health_command.h"
#include "daemon/human_text.h"
#include "daemon/reply_json.h"
#include "daemon/reply_printer.h"

namespace toll::daemon {
namespace {

constexpr size_t kStatusColumns = 78;

// The names of the policies, as many as there is room for in two lines.
std::string policy_names(const DaemonView& view) {
  const size_t most = 2 * kStatusColumns - 24;
  std::string names;
  size_t shown = 0;
  for (const auto& row : view.policies) {
    if (row.empty()) continue;
    if (names.size() + row[0].size() + 2 > most) break;
    if (!names.empty()) names += ", ";
    names += row[0];
    ++shown;
  }
  if (shown < view.policies.size()) {
    names += fmt::format("{}{} more", shown == 0 ? "" : ", ", view.policies.size() - shown);
  }
  return printable(names);
}

// `label`, then words that are broken where the screen ends.
std::string paragraph(std::string_view label, std::string_view text) {
  std::string out = fmt::format("{:<10}", label);
  size_t column = out.size();
  const size_t indent = out.size();
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (column + word.size() > kStatusColumns && column > indent) {
      out += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
  }
  return out + "\n";
}

std::string redis_text(const DaemonView& view) {
  if (view.health_word("redis") == "off") return "off: this host decides alone";
  return fmt::format(
      "{}, breaker {} (opened {} times), {} hosts; {} calls, {} errors, {} lost; {} requests "
      "answered without it",
      view.health_word("redis"), view.health_word("breaker"), view.figure("breaker_trips"),
      view.health_word("hosts"),
      view.figure("redis_calls") + view.figure("costs_calls") + view.figure("logs_calls"),
      view.figure("redis_errors") + view.figure("costs_errors") + view.figure("logs_errors"),
      view.figure("redis_lost") + view.figure("costs_lost") + view.figure("logs_lost"),
      view.figure("redis_away") + view.figure("redis_full") + view.figure("redis_poisoned"));
}

std::string sources_text(const DaemonView& view) {
  std::string text;
  for (const std::string& name : view.stats_order) {
    if (!name.starts_with("source_")) continue;
    if (!text.empty()) text += ", ";
    text +=
        fmt::format("{} {}", view.figure(name), name.substr(std::string_view("source_").size()));
  }
  return text;
}

std::string json_object(const std::map<std::string, std::string, std::less<>>& values,
                        std::string first) {
  for (const auto& [name, value] : values) {
    const bool number = !value.empty() && value.size() < 20 &&
                        value.find_first_not_of("0123456789") == std::string::npos;
    first += fmt::format("{}{}:{}", first.empty() ? "" : ",", json_string(name),
                         number ? value : json_string(value));
  }
  return "{" + first + "}";
}

}  // namespace

std::string status_text(const DaemonView& view, int64_t now_s) {
  const uint64_t up_s = view.figure("uptime_s");
  const auto since = static_cast<std::time_t>(now_s - static_cast<int64_t>(up_s));
  std::tm local{};
  localtime_r(&since, &local);
  std::string text =
      paragraph("state", fmt::format("{}, {} for {}, since {:%Y-%m-%d %H:%M:%S}", view.state,
                                     view.version, lasted_text(up_s), local));
  text += paragraph("runs", fmt::format("{} workers on {}", view.health_word("workers"),
                                        view.health_word("backend")));
  text += paragraph("redis", redis_text(view));
  text += paragraph("requests", fmt::format("{}: {} allowed, {} denied, {} errors",
                                            view.figure("requests"), view.figure("allowed"),
                                            view.figure("denied"), view.figure("errors")));
  text += paragraph("decided", "by source: " + sources_text(view));
  text += paragraph("clients",
                    fmt::format("{} now, {} in all, {} turned away", view.figure("clients"),
                                view.figure("connections"), view.figure("connections_refused")));
  text += paragraph("keys",
                    fmt::format("{} in {} of {}; {} expired, {} evicted, {} requests without room",
                                view.figure("keys"), bytes_text(view.figure("key_bytes")),
                                bytes_text(view.figure("memory_max")), view.figure("keys_expired"),
                                view.figure("keys_evicted"), view.figure("refused_for_memory")));
  text += paragraph(
      "costs", fmt::format("{}, {} charges taken{}", view.health_word("costs"),
                           view.figure("costs_accepted"),
                           view.health_word("redis") == "off"
                               ? ""
                               : fmt::format(", {} seen in Redis", view.figure("costs_applied"))));
  text += paragraph("journal",
                    fmt::format("{}, {}, {} commits, {} failures", view.health_word("journal"),
                                bytes_text(view.figure("journal_bytes")),
                                view.figure("journal_commits"), view.figure("journal_failures")));
  text += paragraph(
      "logs", fmt::format("{}, {} records pushed, {} popped, {} dropped, {} refused; {} on disk",
                          view.health_word("logs"), view.figure("logs_pushed"),
                          view.figure("logs_popped"), view.figure("logs_dropped"),
                          view.figure("logs_refused"), bytes_text(view.figure("spill_bytes"))));
  text += paragraph("policies", fmt::format("{}: {}", view.policies.size(), policy_names(view)));
  text.pop_back();
  return text;
}

std::string status_json(const DaemonView& view) {
  std::string policies;
  for (const auto& row : view.policies) {
    if (row.size() != 5) continue;
    policies +=
        fmt::format("{}{{\"name\":{},\"algorithm\":{},\"limits\":{},\"mode\":{},\"on_outage\":{}}}",
                    policies.empty() ? "" : ",", json_string(row[0]), json_string(row[1]),
                    json_string(row[2]), json_string(row[3]), json_string(row[4]));
  }
  return fmt::format("{{\"version\":{},\"health\":{},\"stats\":{},\"policies\":[{}]}}",
                     json_string(view.version),
                     json_object(view.health, "\"state\":" + json_string(view.state)),
                     json_object(view.stats, ""), policies);
}

int run_status_command(const CommandOptions& options, std::span<const std::string> words) {
  if (!words.empty()) {
    complain("wanted: tollkeeper status");
    return static_cast<int>(Health::kUnknown);
  }
  auto connection = ClientConnection::open(options.client);
  const auto view = connection ? look(*connection, 0) : std::unexpected(connection.error());
  if (!view) {
    complain(view.error());
    return static_cast<int>(Health::kDown);
  }
  ReplyPrinter(false).say(options.json ? status_json(*view)
                                       : status_text(*view, std::time(nullptr)));
  return static_cast<int>(health_of(view->state));
}

}  // namespace toll::daemon
