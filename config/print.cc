// The loader's results as text: --print-config, faults, levels, and what a reload cannot change.
#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "config/keys.h"
#include "config/load.h"

namespace toll::config {
namespace {

constexpr std::string_view kPoliciesTables = "policies.";
constexpr size_t kValueColumn = 48;

// A policy's name may hold characters that TOML takes in quotes only.
std::string table_header(std::string_view section) {
  if (!section.starts_with(kPoliciesTables)) return fmt::format("[{}]", section);
  const std::string_view name = section.substr(kPoliciesTables.size());
  const bool quoted = name.find_first_of(".:") != std::string_view::npos;
  return fmt::format("[{}{}]", kPoliciesTables, quoted ? quote(name) : std::string(name));
}

std::string named(const Loaded& loaded) {
  return loaded.file.empty() ? "the embedded defaults" : loaded.file;
}

// A file's name may hold anything, and must not end the comment it stands in.
std::string one_line(std::string_view text) {
  return shown(text, kShownSentenceMax);
}

}  // namespace

std::string Fault::text() const {
  if (key.empty()) return fmt::format("{}: {}", where, message);
  return fmt::format("{}: {}: {}", where, key, message);
}

std::string print(const Loaded& loaded) {
  std::string out = fmt::format("# In force: {}.\n", one_line(named(loaded)));
  std::string_view section;
  for (const Setting& setting : loaded.printed) {
    const size_t dot = setting.key.rfind('.');
    const std::string_view own_section = std::string_view(setting.key).substr(0, dot);
    if (own_section != section) {
      section = own_section;
      out += fmt::format("\n{}\n", table_header(section));
    }
    const std::string line = fmt::format("{}{} = {}", setting.secret ? "# " : "",
                                         setting.key.substr(dot + 1), setting.value);
    out += fmt::format("{:<{}}  # {}\n", line, kValueColumn, one_line(setting.origin));
  }
  return out;
}

std::string good(const Loaded& loaded) {
  return fmt::format("{}: good\n", named(loaded));
}

std::vector<std::string> fixed_differences(const Settings& running, const Settings& wanted) {
  const Draft from{running, {}, {}};
  const Draft to{wanted, {}, {}};
  std::vector<std::string> names;
  for (const Key<Draft>& key : keys()) {
    if (key.change == Change::kByRestart && key.print(from) != key.print(to)) {
      names.push_back(full_name(key));
    }
  }
  return names;
}

bool needs_restart(std::string_view key) {
  const auto row = std::ranges::find(keys(), key, full_name);
  return row != keys().end() ? row->change == Change::kByRestart : key == kPasswordKey;
}

std::vector<Setting> in_force_after_reload(const std::vector<Setting>& running,
                                           std::vector<Setting> wanted) {
  std::vector<Setting> in_force;
  for (const Setting& each : running) {
    if (needs_restart(each.key)) in_force.push_back(each);
  }
  for (Setting& each : wanted) {
    if (!needs_restart(each.key)) in_force.push_back(std::move(each));
  }
  return in_force;
}

std::optional<LogLevel> parse_level(std::string_view text) {
  using enum LogLevel;
  for (const LogLevel level : {kTrace, kDebug, kInfo, kWarn, kError, kOff}) {
    if (to_string(level) == text) return level;
  }
  return std::nullopt;
}

std::string_view to_string(LogLevel level) {
  switch (level) {
    case LogLevel::kTrace:
      return "trace";
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warn";
    case LogLevel::kError:
      return "error";
    case LogLevel::kOff:
      return "off";
  }
  return "";
}

}  // namespace toll::config
