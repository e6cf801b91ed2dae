#include "daemon/config_command.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <expected>
#include <fmt/format.h>

#include "daemon/client_connection.h"
#include "daemon/human_text.h"
#include "daemon/json_string.h"
#include "daemon/reply_json.h"
#include "daemon/reply_printer.h"

namespace toll::daemon {
namespace {

using config::Setting;
using Settings = std::vector<Setting>;

constexpr std::string_view kConfigUsage = "wanted: tollkeeper config check|show|diff [FILE]";

const Setting* find_setting(const Settings& settings, std::string_view key) {
  const auto found = std::ranges::find(settings, key, &Setting::key);
  return found == settings.end() ? nullptr : &*found;
}

bool is_default(const Setting& setting) {
  return setting.origin == "default";
}

// What a file cannot change in a daemon that was started so.
bool above_the_file(const Setting& setting) {
  return setting.origin.starts_with("environment") || setting.origin.starts_with("command line");
}

// A policy that one side lacks is told by what it was given, and by its limits in any case.
bool tells_alone(const Setting& setting) {
  return !is_default(setting) || setting.key.ends_with(".limits") ||
         setting.key.ends_with(".limit");
}

std::string_view taken_text(Taken taken) {
  switch (taken) {
    case Taken::kByReload:
      return "reload";
    case Taken::kByRestart:
      return "restart";
    case Taken::kNever:
      return "overridden";
  }
  return "";
}

// What the daemon that runs answers to CONFIG.
std::expected<Settings, std::pair<ExitStatus, std::string>> ask_running(
    const ClientSettings& client) {
  auto connection = ClientConnection::open(client);
  if (!connection) return std::unexpected(std::pair(ExitStatus::kNoDaemon, connection.error()));
  const auto reply = connection->ask("CONFIG\n");
  if (!reply) return std::unexpected(std::pair(ExitStatus::kNoDaemon, reply.error()));
  if (reply->kind != ReplyKind::kList) {
    return std::unexpected(std::pair(ExitStatus::kError, std::string(reply->line)));
  }
  Settings settings;
  for (const std::string_view row : reply->rows) {
    std::vector<Word> words = split_words(row);
    if (words.size() != 3) continue;
    settings.push_back({.key = std::move(words[0].text),
                        .value = std::move(words[1].text),
                        .origin = std::move(words[2].text)});
  }
  return settings;
}

std::string difference_line(const ConfigDifference& each) {
  const auto value = [](const std::string& text) { return text.empty() ? "none" : text.c_str(); };
  std::string line = fmt::format("{}: {} -> {}  ({}", each.key, value(each.running),
                                 value(each.wanted), taken_text(each.taken));
  if (each.taken == Taken::kNever) line += ": the daemon has it from its " + each.origin;
  return printable(line + ")");
}

std::string difference_json(const ConfigDifference& each) {
  return fmt::format("{{\"key\":{},\"running\":{},\"file\":{},\"taken\":\"{}\",\"origin\":{}}}",
                     json_string(each.key),
                     each.running.empty() ? "null" : json_string(each.running),
                     each.wanted.empty() ? "null" : json_string(each.wanted),
                     taken_text(each.taken), json_string(each.origin));
}

std::string summary(const std::vector<ConfigDifference>& differences) {
  std::string text;
  constexpr std::array<std::pair<Taken, std::string_view>, 3> kParts = {
      {{Taken::kByReload, "a reload takes"},
       {Taken::kByRestart, "only a restart takes"},
       {Taken::kNever, "the file cannot change"}}};
  for (const auto& [taken, words] : kParts) {
    const auto count = std::ranges::count(differences, taken, &ConfigDifference::taken);
    if (count > 0) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", words, count);
  }
  return text;
}

int run_diff(const CommandOptions& options, const config::Loaded& wanted, ReplyPrinter& printer) {
  const auto running = ask_running(options.client);
  if (!running) {
    complain(running.error().second);
    return static_cast<int>(running.error().first);
  }
  const auto differences = config_differences(*running, wanted.printed);
  for (const ConfigDifference& each : differences) {
    printer.say(options.json ? difference_json(each) : difference_line(each));
  }
  if (differences.empty()) return 0;
  if (!options.json) printer.say(summary(differences));
  return 1;
}

}  // namespace

std::vector<ConfigDifference> config_differences(const Settings& running, const Settings& wanted) {
  std::vector<ConfigDifference> differences;
  const auto taken = [](const Setting& setting, bool overridden) {
    if (overridden) return Taken::kNever;
    return config::needs_restart(setting.key) ? Taken::kByRestart : Taken::kByReload;
  };
  for (const Setting& each : wanted) {
    const Setting* now = find_setting(running, each.key);
    if (now == nullptr) {
      if (tells_alone(each)) {
        differences.push_back({each.key, "", each.value, "", taken(each, false)});
      }
      continue;
    }
    if (now->value == each.value || (is_default(each) && is_default(*now))) continue;
    const bool overridden = above_the_file(*now);
    if (overridden && is_default(each)) continue;
    differences.push_back({each.key, now->value, each.value, now->origin, taken(each, overridden)});
  }
  for (const Setting& each : running) {
    if (find_setting(wanted, each.key) != nullptr || above_the_file(each) || !tells_alone(each)) {
      continue;
    }
    differences.push_back({each.key, each.value, "", each.origin, taken(each, false)});
  }
  return differences;
}

int run_config_command(const CommandOptions& options, std::span<const std::string> words) {
  const bool known = !words.empty() && words.size() <= 2 &&
                     (words[0] == "check" || words[0] == "show" || words[0] == "diff");
  if (!known) {
    complain(kConfigUsage);
    return static_cast<int>(ExitStatus::kError);
  }
  const bool differ = words[0] == "diff";
  config::Sources sources;
  if (words.size() == 2) sources.file = words[1];
  // A daemon's environment is its own: what it has from there, it says.
  if (!differ) sources.environment = config::process_environment();
  ReplyPrinter printer(options.json);
  const auto loaded = config::load(sources);
  if (!loaded) {
    for (const config::Fault& fault : loaded.error()) printer.complain(fault.text());
    return differ ? static_cast<int>(ExitStatus::kError) : EXIT_FAILURE;
  }
  if (differ) return run_diff(options, *loaded, printer);
  std::string text = words[0] == "check" ? config::good(*loaded) : config::print(*loaded);
  text.pop_back();  // its line end
  printer.say(text);
  return EXIT_SUCCESS;
}

}  // namespace toll::daemon
