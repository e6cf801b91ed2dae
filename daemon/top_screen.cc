#include "daemon/top_screen.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>
#include <map>
#include <utility>

#include "daemon/human_text.h"

namespace toll::daemon {
namespace {

constexpr size_t kPanelGap = 2;
constexpr size_t kWorkerPart = 3;  // workers get one of so many of the lines that are left

using Lines = std::vector<std::string>;

// Rates and quantiles of what lies between two looks.
class Span {
 public:
  Span(const DaemonView& before, const DaemonView& now)
      : before_(before),
        now_(now),
        seconds_(std::chrono::duration<double>(now.asked_at - before.asked_at).count()),
        same_(now.figure("uptime_s") >= before.figure("uptime_s")) {}

  // By how much a figure has risen; 0 where it is another daemon's.
  uint64_t rise(std::string_view name) const {
    const uint64_t from = before_.figure(name);
    const uint64_t to = now_.figure(name);
    return same_ && to > from ? to - from : 0;
  }
  double rate(std::string_view name) const { return rate_of(rise(name)); }
  double rate_of(uint64_t rise) const {
    return seconds_ > 0 ? static_cast<double>(rise) / seconds_ : 0;
  }
  std::string rate_text(std::string_view name) const { return count_text(rate(name)); }

  // "<=250us": the bound below which `part` of the figures of a histogram of STATS were.
  std::string quantile(std::string_view name, double part) const {
    const uint64_t total = rise(fmt::format("{}_timed", name));
    if (total == 0) return "-";
    const std::string prefix = fmt::format("{}_within_", name);
    uint64_t last = 0;
    for (const std::string& figure : now_.stats_order) {
      if (!figure.starts_with(prefix)) continue;
      std::from_chars(figure.data() + prefix.size(), figure.data() + figure.size(), last);
      if (static_cast<double>(rise(figure)) >= part * static_cast<double>(total)) {
        return "<=" + time_text_us(last);
      }
    }
    return ">" + time_text_us(last);
  }

 private:
  const DaemonView& before_;
  const DaemonView& now_;
  double seconds_;
  bool same_;
};

// `fields` in one line, or in as many as they need, those behind the first indented.
void flow(Lines& lines, const Lines& fields, size_t columns) {
  const std::string indent = "    ";
  std::string line;
  for (const std::string& field : fields) {
    if (!line.empty() && line.size() + kPanelGap + field.size() > columns) {
      lines.push_back(std::exchange(line, indent + field));
    } else {
      line += line.empty() ? field : "  " + field;
    }
  }
  lines.push_back(std::move(line));
}

Lines decision_fields(const DaemonView& now, const Span& span) {
  Lines fields = {"by source"};
  for (const std::string& name : now.stats_order) {
    if (!name.starts_with("source_")) continue;
    fields.push_back(fmt::format("{} {}/s", name.substr(std::string_view("source_").size()),
                                 span.rate_text(name)));
  }
  return fields;
}

Lines redis_fields(const DaemonView& now, const Span& span) {
  if (now.health_word("redis") == "off") return {"redis off"};
  const auto of_all = [&](std::string_view what) {
    uint64_t rise = 0;
    for (const std::string_view purpose : {"redis", "costs", "logs"}) {
      rise += span.rise(fmt::format("{}_{}", purpose, what));
    }
    return fmt::format("{} {}/s", what, count_text(span.rate_of(rise)));
  };
  return {fmt::format("redis {}", now.health_word("redis")),
          fmt::format("breaker {}", now.health_word("breaker")),
          of_all("calls"),
          "p50 " + span.quantile("redis", 0.5),
          "p99 " + span.quantile("redis", 0.99),
          of_all("errors"),
          of_all("lost")};
}

Lines head(const DaemonView& now, const Span& span, size_t columns) {
  const auto word = [&](std::string_view name) { return now.health_word(name); };
  const auto rate = [&](std::string_view label, std::string_view figure) {
    return fmt::format("{} {}/s", label, span.rate_text(figure));
  };
  const uint64_t memory_max = std::max<uint64_t>(1, now.figure("memory_max"));
  Lines lines;
  flow(lines,
       {now.version, now.state, "up " + lasted_text(now.figure("uptime_s")),
        fmt::format("workers {} on {}", word("workers"), word("backend")),
        fmt::format("clients {}", now.figure("clients")), fmt::format("hosts {}", word("hosts"))},
       columns);
  flow(lines,
       {rate("requests", "requests"), rate("allowed", "allowed"), rate("denied", "denied"),
        rate("errors", "errors")},
       columns);
  flow(lines,
       {"latency", "p50 " + span.quantile("checks", 0.5), "p99 " + span.quantile("checks", 0.99)},
       columns);
  flow(lines, decision_fields(now, span), columns);
  flow(lines, redis_fields(now, span), columns);
  flow(lines,
       {fmt::format("journal {}", word("journal")), bytes_text(now.figure("journal_bytes")),
        rate("commits", "journal_commits"), rate("charges", "costs_accepted")},
       columns);
  flow(lines,
       {fmt::format("logs {}", word("logs")), rate("in", "logs_pushed"), rate("out", "logs_popped"),
        rate("dropped", "logs_dropped"),
        fmt::format("on disk {}", bytes_text(now.figure("spill_bytes")))},
       columns);
  flow(lines,
       {fmt::format("keys {}", count_text(static_cast<double>(now.figure("keys")))),
        fmt::format("memory {} of {}", bytes_text(now.figure("key_bytes")), bytes_text(memory_max)),
        rate("evicted", "keys_evicted"), rate("no room", "refused_for_memory")},
       columns);
  return lines;
}

Lines workers(const DaemonView& now, const Span& span) {
  Lines lines;
  const uint64_t count = now.figure("workers");
  for (uint64_t i = 0; i < count; ++i) {
    const auto name = [i](std::string_view what) { return fmt::format("worker_{}_{}", i, what); };
    lines.push_back(fmt::format("{:<8}{:>11}{:>13}{:>9}{:>9}", i, span.rate_text(name("requests")),
                                span.rate_text(name("decisions")), span.rate_text(name("turns")),
                                now.figure(name("clients"))));
  }
  return lines;
}

// The busiest first; those that did nothing are left out.
Lines policies(const DaemonView& now, const Span& span) {
  struct Row {
    std::string_view name;
    uint64_t allowed = 0;
    uint64_t denied = 0;
  };
  std::map<std::string_view, Row> by_name;
  for (const std::string& figure : now.stats_order) {
    const std::string_view allowed = policy_of_figure(figure, "_allowed");
    if (!allowed.empty()) by_name[allowed].allowed = span.rise(figure);
    const std::string_view denied = policy_of_figure(figure, "_denied");
    if (!denied.empty()) by_name[denied].denied = span.rise(figure);
  }
  std::vector<Row> rows;
  for (auto& [name, row] : by_name) {
    row.name = name;
    if (row.allowed + row.denied > 0) rows.push_back(row);
  }
  std::ranges::stable_sort(rows, std::ranges::greater{},
                           [](const Row& row) { return row.allowed + row.denied; });
  Lines lines;
  for (const Row& row : rows) {
    lines.push_back(fmt::format("{:<17.17}{:>9}{:>9}", row.name,
                                count_text(span.rate_of(row.allowed)),
                                count_text(span.rate_of(row.denied))));
  }
  return lines;
}

Lines hot_ids(const DaemonView& now) {
  Lines lines;
  for (const auto& row : now.hot) {
    double share = 0;
    if (row.size() != 3) continue;
    std::from_chars(row[2].data(), row[2].data() + row[2].size(), share);
    lines.push_back(fmt::format("{:<13}{:<17.17}{:>6.1f}%", row[1], row[0], 100 * share));
  }
  return lines;
}

// Two panels side by side where the screen is wide enough, else one below the other.
Lines panels(const Lines& left, const Lines& right, size_t columns) {
  size_t width = 0;
  size_t right_width = 0;
  for (const std::string& line : left) width = std::max(width, line.size());
  for (const std::string& line : right) right_width = std::max(right_width, line.size());
  Lines lines;
  if (width + kPanelGap + right_width > columns) {
    lines = left;
    lines.emplace_back();
    lines.insert(lines.end(), right.begin(), right.end());
    return lines;
  }
  for (size_t i = 0; i < std::max(left.size(), right.size()); ++i) {
    lines.push_back(fmt::format("{:<{}}{}", i < left.size() ? left[i] : "", width + kPanelGap,
                                i < right.size() ? right[i] : ""));
  }
  return lines;
}

}  // namespace

Lines top_lines(const DaemonView& before, const DaemonView& now, ScreenSize size) {
  const Span span(before, now);
  Lines lines = head(now, span, size.columns);
  Lines of_workers = workers(now, span);
  const size_t left = size.rows > lines.size() ? size.rows - lines.size() : 0;
  const size_t shown = std::min(of_workers.size(), std::max<size_t>(2, left / kWorkerPart));
  lines.emplace_back();
  lines.push_back(fmt::format("{:<8}{:>11}{:>13}{:>9}{:>9}", "worker", "requests/s", "decisions/s",
                              "turns/s", "clients"));
  lines.insert(lines.end(), of_workers.begin(),
               of_workers.begin() + static_cast<std::ptrdiff_t>(shown));
  if (shown < of_workers.size()) {
    lines.push_back(fmt::format("... {} more", of_workers.size() - shown));
  }
  lines.emplace_back();
  Lines policy_panel = {fmt::format("{:<17}{:>9}{:>9}", "policy", "allowed/s", "denied/s")};
  std::ranges::move(policies(now, span), std::back_inserter(policy_panel));
  Lines hot_panel = {fmt::format("{:<13}{:<17}{:>7}", "hot id", "policy", "share")};
  std::ranges::move(hot_ids(now), std::back_inserter(hot_panel));
  std::ranges::move(panels(policy_panel, hot_panel, size.columns), std::back_inserter(lines));

  if (lines.size() > size.rows) lines.resize(size.rows);
  for (std::string& line : lines) {
    line = printable(line);
    if (line.size() > size.columns) line.resize(size.columns);
    line.erase(line.find_last_not_of(' ') + 1);
  }
  return lines;
}

}  // namespace toll::daemon
