#include "config/assemble.h"

#include <algorithm>
#include <array>

#include "config/audit.h"
#include "config/environment.h"
#include "config/host.h"
#include "config/limits.h"
#include "config/redis.h"

namespace toll::config {
namespace {

constexpr std::string_view kPolicies = "policies";
constexpr std::string_view kSocketOption = "--socket";

Origin in_file(Position position) {
  return {Layer::kFile, position, ""};
}

std::string_view kind_of_entry(const Entry& entry) {
  return entry.value.kind == Kind::kTable ? "table" : "key";
}

// Reports an entry that no row takes. `siblings` may stand where it stands; the same name in
// another section is what it may have been meant to be otherwise.
void refuse_unknown(const Entry& entry, std::string_view section,
                    const std::vector<std::string_view>& siblings, Report& report) {
  std::string suggestion(nearest(entry.key, siblings));
  for (const Key<Draft>& key : keys()) {
    if (suggestion.empty() && key.name == entry.key) suggestion = full_name(key);
  }
  report.fault(in_file(entry.position),
               section.empty() ? shown(entry.key) : fmt::format("{}.{}", section, shown(entry.key)),
               fmt::format("unknown {}{}", kind_of_entry(entry), did_you_mean(suggestion)));
}

// Is it a table? Reports it if not.
bool is_table(const Entry& entry, const std::string& name, Report& report) {
  if (entry.value.kind == Kind::kTable) return true;
  // A text may be an address with a password in it, where [redis] should be.
  const std::string found =
      entry.value.kind == Kind::kText ? std::string(kNotShown) : describe(entry.value);
  report.fault(in_file(entry.value.position), name,
               fmt::format("found {}, expected a table, such as [{}]", found, name));
  return false;
}

// The names of a section's keys and of the sections in it.
std::vector<std::string_view> names_in(std::string_view section) {
  const std::string inner = std::string(section) + ".";
  std::vector<std::string_view> names;
  for (const Key<Draft>& key : keys()) {
    if (key.section == section) names.push_back(key.name);
    if (!key.section.starts_with(inner)) continue;
    const std::string_view name = key.section.substr(inner.size());
    if (!contains(names, name)) names.push_back(name);
  }
  return names;
}

bool is_section(std::string_view name) {
  return std::ranges::any_of(keys(), [name](const Key<Draft>& key) { return key.section == name; });
}

void read_section(const Entry& section, const std::string& name, Assembly& assembly) {
  if (!is_table(section, name, assembly.report)) return;
  for (const Entry& entry : section.value.entries) {
    const std::string inner = fmt::format("{}.{}", name, entry.key);
    if (is_section(inner)) {
      read_section(entry, inner, assembly);
      continue;
    }
    const auto key = std::ranges::find_if(keys(), [&](const Key<Draft>& candidate) {
      return candidate.section == name && candidate.name == entry.key;
    });
    if (key == keys().end()) {
      const std::string_view misplaced = misplaced_key_message(name, entry.key);
      if (misplaced.empty()) {
        refuse_unknown(entry, name, names_in(name), assembly.report);
      } else {
        assembly.report.fault(in_file(entry.position), inner, std::string(misplaced));
      }
      continue;
    }
    const Origin origin = in_file(entry.value.position);
    if (take(*key, full_name(*key), entry.value, origin, assembly.draft, assembly.report)) {
      assembly.origins[static_cast<size_t>(key - keys().begin())] = origin;
    }
  }
}

void read_policy(const Entry& entry, Assembly& assembly) {
  const std::string name = policy_name(entry.key);
  if (!is_table(entry, name, assembly.report)) return;
  PolicyDraft& policy = assembly.policies.emplace_back();
  policy.spec.name = entry.key;
  policy.origin = in_file(entry.position);
  std::vector<std::string_view> siblings;
  for (const Key<PolicyDraft>& key : policy_keys()) siblings.push_back(key.name);
  for (const Entry& given : entry.value.entries) {
    const auto key = std::ranges::find(policy_keys(), given.key, &Key<PolicyDraft>::name);
    if (key == policy_keys().end()) {
      refuse_unknown(given, name, siblings, assembly.report);
      continue;
    }
    say(*key, given.value, in_file(given.value.position), policy, assembly.report);
  }
}

void read_file_layer(const Value& root, Assembly& assembly) {
  std::vector<std::string_view> sections = {kPolicies};
  for (const Key<Draft>& key : keys()) {
    const bool inner = key.section.find('.') != std::string_view::npos;
    if (!inner && !contains(sections, key.section)) sections.push_back(key.section);
  }
  for (const Entry& entry : root.entries) {
    if (entry.key == kPolicies) {
      if (!is_table(entry, entry.key, assembly.report)) continue;
      for (const Entry& policy : entry.value.entries) read_policy(policy, assembly);
    } else if (contains(sections, entry.key)) {
      read_section(entry, entry.key, assembly);
    } else {
      refuse_unknown(entry, "", sections, assembly.report);
    }
  }
}

void apply_command_line(const Sources& sources, Assembly& assembly) {
  if (!sources.socket) return;
  const Origin origin{Layer::kCommandLine, {}, std::string(kSocketOption)};
  for (size_t i = 0; i < keys().size(); ++i) {
    const Key<Draft>& key = keys()[i];
    if (full_name(key) != "server.socket") continue;
    if (take(key, "", value_from_text(*sources.socket, key.kind), origin, assembly.draft,
             assembly.report)) {
      assembly.origins[i] = origin;
    }
  }
}

// Defaults that the host gives are let through their own rows like any other value, but only where
// nothing else was said: an overlong $XDG_RUNTIME_DIR hurts nobody who names a socket.
void apply_host_defaults(const Environment& environment, Assembly& assembly) {
  const std::array<std::pair<std::string_view, HostPath>, 4> defaults = {{
      {"server.socket", default_socket(environment)},
      {"server.state_dir", default_state_dir(environment)},
      {"server.socket_group", {default_group("tollkeeper"), ""}},
      {"server.admin_group", {default_group("tollkeeper-admin"), ""}},
  }};
  for (size_t i = 0; i < keys().size(); ++i) {
    const Key<Draft>& key = keys()[i];
    const auto found =
        std::ranges::find(defaults, full_name(key), &std::pair<std::string_view, HostPath>::first);
    if (found == defaults.end() || assembly.origins[i].layer != Layer::kDefault) continue;
    const auto& [path, variable] = found->second;
    const Layer layer = variable.empty() ? Layer::kDefault : Layer::kEnvironment;
    (void)take(key, found->first, value_from_text(path, key.kind), {layer, {}, variable},
               assembly.draft, assembly.report);
  }
}

std::vector<Setting> printed_settings(const Assembly& assembly) {
  std::vector<Setting> printed;
  const bool has_password = !assembly.draft.settings.redis.password.empty();
  const auto print_sections = [&](bool log) {
    for (size_t i = 0; i < keys().size(); ++i) {
      const Key<Draft>& key = keys()[i];
      if ((key.section == "log") != log) continue;
      printed.push_back({full_name(key), key.print(assembly.draft),
                         assembly.report.describe(assembly.origins[i])});
      if (printed.back().key == "redis.password_file" && has_password) {
        printed.push_back(
            {std::string(kPasswordKey), "\"***\"", assembly.draft.redis.password_origin, true});
      }
    }
  };
  print_sections(false);
  for (const PolicyDraft& policy : assembly.policies) {
    for (const Key<PolicyDraft>& key : policy_keys()) {
      std::string value = key.print(policy);
      if (value.empty()) continue;
      const auto said = policy.said.find(key.name);
      const Origin origin = said == policy.said.end() ? Origin{} : said->second;
      printed.push_back({fmt::format("policies.{}.{}", policy.spec.name, key.name),
                         std::move(value), assembly.report.describe(origin)});
    }
  }
  print_sections(true);
  return printed;
}

void warn_of_a_mode_without_redis(const Environment& environment, Assembly& assembly) {
  const auto found = environment.find("RATE_LIMIT_MODE");
  if (found == environment.end() || found->second != "redis") return;
  if (assembly.draft.settings.redis.enabled) return;
  assembly.warnings.push_back(
      "RATE_LIMIT_MODE is redis, but no Redis is configured: this host answers alone.");
}

// The layers above the file, the judgement of the whole, and the result.
std::expected<Loaded, std::vector<Fault>> finish(Assembly& assembly, std::string file,
                                                 const Sources& sources) {
  apply_environment(sources.environment, assembly);
  apply_command_line(sources, assembly);
  apply_host_defaults(sources.environment, assembly);
  finish_redis(sources.environment, assembly);
  finish_audit(sources.environment, assembly);
  finish_policies(assembly.policies, assembly.draft.defaults, assembly.report);
  if (!assembly.report.empty()) return std::unexpected(assembly.report.faults());

  Loaded loaded;
  loaded.printed = printed_settings(assembly);
  warn_of_a_mode_without_redis(sources.environment, assembly);
  loaded.settings = std::move(assembly.draft.settings);
  loaded.settings.metrics.named =
      assembly.origins[key_index("metrics.listen")].layer != Layer::kDefault;
  for (PolicyDraft& policy : assembly.policies) {
    loaded.settings.policies.push_back(std::move(policy.spec));
  }
  if (loaded.settings.policies.empty()) {
    assembly.warnings.push_back(fmt::format(
        "{} has no [policies.*], so there is no policy at all: a file replaces the shipped ones.",
        file));
  }
  loaded.file = std::move(file);
  loaded.warnings = std::move(assembly.warnings);
  return loaded;
}

}  // namespace

std::expected<Loaded, std::vector<Fault>> load_text(std::string_view text, std::string name,
                                                    const Sources& sources) {
  Assembly assembly(name);
  assembly.origins.resize(keys().size());
  if (text.size() > kFileBytesMax) {
    return std::unexpected(
        std::vector{Fault{name, "",
                          fmt::format("the file is over {}, expected less",
                                      format_size(static_cast<int64_t>(kFileBytesMax)))}});
  }
  const auto root = parse_document(text);
  if (!root) {
    // Half a file proves nothing about the rest, so a text that is not TOML has this fault alone.
    assembly.report.fault(in_file(root.error().position), "", root.error().message);
    return std::unexpected(assembly.report.faults());
  }
  read_file_layer(*root, assembly);
  return finish(assembly, std::move(name), sources);
}

std::expected<Loaded, std::vector<Fault>> load_embedded(const Sources& sources) {
  Assembly assembly("");
  assembly.origins.resize(keys().size());
  assembly.policies = shipped_policies();
  return finish(assembly, "", sources);
}

}  // namespace toll::config
