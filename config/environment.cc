#include "config/environment.h"

#include <algorithm>

#include "config/redis.h"

namespace toll::config {
namespace {

constexpr std::string_view kOwnPrefix = "TOLLKEEPER_";
// Leads the command and the bench tool to the daemon's socket; not for the daemon.
constexpr std::string_view kClientsVariable = "TOLLKEEPER_SOCKET";
constexpr std::string_view kPoliciesPrefix = "TOLLKEEPER_POLICIES_";
constexpr std::string_view kRatePrefix = "RATE_LIMIT_";
constexpr std::string_view kRateMode = "RATE_LIMIT_MODE";

Origin origin_of(const std::string& variable) {
  return {Layer::kEnvironment, {}, variable};
}

// A policy's or key's name as a variable spells it.
std::string variable_name(std::string_view name) {
  std::string out = to_upper(name);
  std::ranges::replace_if(out, [](char c) { return c == '-' || c == '.' || c == ':'; }, '_');
  return out;
}

std::string variable_name(const Key<Draft>& key) {
  return fmt::format("{}{}_{}", kOwnPrefix, variable_name(key.section), to_upper(key.name));
}

// All policies that a variable could mean; the one it spells exactly, if there is one, alone.
std::vector<PolicyDraft*> policies_meant(std::string_view spelled, Assembly& assembly) {
  std::vector<PolicyDraft*> meant;
  for (PolicyDraft& policy : assembly.policies) {
    if (variable_name(policy.spec.name) != spelled) continue;
    if (policy.spec.name == to_lower(spelled)) return {&policy};
    meant.push_back(&policy);
  }
  return meant;
}

// The one policy meant, or null with a fault when the variable fits several.
PolicyDraft* only_one(const std::vector<PolicyDraft*>& meant, const std::string& variable,
                      Report& report) {
  if (meant.size() == 1) return meant.front();
  report.fault(origin_of(variable), "",
               fmt::format("fits both policy \"{}\" and policy \"{}\", expected to fit one only",
                           shown(meant[0]->spec.name), shown(meant[1]->spec.name)));
  return nullptr;
}

const Key<PolicyDraft>& policy_key(std::string_view name) {
  return *std::ranges::find(policy_keys(), name, &Key<PolicyDraft>::name);
}

// `redis` and `memory` are what existing gateways call it.
void apply_rate_mode(const Environment& environment, Assembly& assembly) {
  const auto found = environment.find(std::string(kRateMode));
  if (found == environment.end() || found->second.empty()) return;
  const auto& [variable, value] = *found;
  if (value != "redis" && value != "memory") {
    assembly.report.fault(
        origin_of(variable), "",
        fmt::format("found the text \"{}\", expected redis or memory", shown(value)));
    return;
  }
  using engine::Mode;
  assembly.draft.defaults.mode = value == "redis" ? Mode::kExact : Mode::kLocal;
  assembly.origins[key_index("defaults.mode")] = origin_of(variable);
}

// "120,60" as the text of a limit, "120/60s"; "" if it is not two whole numbers.
std::string limit_text(std::string_view value) {
  const Value parts = value_from_text(value, Kind::kList);
  if (parts.items.size() != 2) return "";
  for (const Value& part : parts.items) {
    if (!parse_count(part.text)) return "";
  }
  return fmt::format("{}/{}s", parts.items[0].text, parts.items[1].text);
}

void apply_rate_limit(const std::string& variable, const std::string& value, Assembly& assembly) {
  const std::string text = limit_text(value);
  if (text.empty()) {
    assembly.report.fault(
        origin_of(variable), "",
        fmt::format("found the text \"{}\", expected count,seconds such as 120,60", shown(value)));
    return;
  }
  const std::string_view spelled = std::string_view(variable).substr(kRatePrefix.size());
  const auto meant = policies_meant(spelled, assembly);
  PolicyDraft* policy = nullptr;
  if (meant.empty()) {
    policy = &assembly.policies.emplace_back();
    policy->spec.name = to_lower(spelled);
    policy->origin = origin_of(variable);
  } else {
    policy = only_one(meant, variable, assembly.report);
  }
  if (policy == nullptr) return;
  const Key<PolicyDraft>& limits = policy_key("limits");
  say(limits, value_from_text(text, limits.kind), origin_of(variable), *policy, assembly.report);
}

void apply_policy_variable(const std::string& variable, const std::string& value,
                           Assembly& assembly) {
  const std::string_view rest = std::string_view(variable).substr(kPoliciesPrefix.size());
  for (const Key<PolicyDraft>& key : policy_keys()) {
    const std::string suffix = "_" + to_upper(key.name);
    if (!rest.ends_with(suffix)) continue;
    const std::string_view spelled = rest.substr(0, rest.size() - suffix.size());
    const auto meant = policies_meant(spelled, assembly);
    if (meant.empty()) {
      std::vector<std::string_view> names;
      for (const PolicyDraft& policy : assembly.policies) names.push_back(policy.spec.name);
      assembly.report.fault(origin_of(variable), "",
                            fmt::format("there is no policy \"{}\"{}", shown(to_lower(spelled)),
                                        did_you_mean(nearest(spelled, names))));
      return;
    }
    PolicyDraft* policy = only_one(meant, variable, assembly.report);
    if (policy == nullptr) return;
    say(key, value_from_text(value, key.kind), origin_of(variable), *policy, assembly.report);
    return;
  }
  std::vector<std::string> known;
  for (const PolicyDraft& policy : assembly.policies) {
    for (const Key<PolicyDraft>& key : policy_keys()) {
      known.push_back(fmt::format("{}{}_{}", kPoliciesPrefix, variable_name(policy.spec.name),
                                  to_upper(key.name)));
    }
  }
  assembly.report.fault(
      origin_of(variable), "",
      "unknown variable" + did_you_mean(nearest(variable, {known.begin(), known.end()})));
}

void refuse_variable(const std::string& variable, Report& report) {
  const std::string_view rest = std::string_view(variable).substr(kOwnPrefix.size());
  if (rest.starts_with("REDIS_")) {
    const std::string name = to_lower(rest.substr(6));
    if (const auto message = misplaced_key_message("redis", name); !message.empty()) {
      report.fault(origin_of(variable), "", std::string(message));
      return;
    }
  }
  std::vector<std::string> known;
  std::string without_section;
  for (const Key<Draft>& key : keys()) {
    known.push_back(variable_name(key));
    if (rest == to_upper(key.name)) without_section = known.back();
  }
  const std::string_view suggestion = without_section.empty()
                                          ? nearest(variable, {known.begin(), known.end()})
                                          : std::string_view(without_section);
  report.fault(origin_of(variable), "", "unknown variable" + did_you_mean(suggestion));
}

void apply_own_variable(const std::string& variable, const std::string& value, Assembly& assembly) {
  if (variable.starts_with(kPoliciesPrefix)) {
    return apply_policy_variable(variable, value, assembly);
  }
  if (apply_redis_password(variable, value, assembly)) return;
  for (size_t i = 0; i < keys().size(); ++i) {
    const Key<Draft>& key = keys()[i];
    if (variable_name(key) != variable) continue;
    if (take(key, full_name(key), value_from_text(value, key.kind), origin_of(variable),
             assembly.draft, assembly.report)) {
      assembly.origins[i] = origin_of(variable);
    }
    return;
  }
  refuse_variable(variable, assembly.report);
}

}  // namespace

void apply_environment(const Environment& environment, Assembly& assembly) {
  apply_redis_environment(environment, assembly);
  apply_rate_mode(environment, assembly);
  for (const auto& [variable, value] : environment) {
    if (!variable.starts_with(kRatePrefix) || variable == kRateMode || value.empty()) continue;
    apply_rate_limit(variable, value, assembly);
  }
  for (const auto& [variable, value] : environment) {
    if (variable == kClientsVariable) continue;
    if (variable.starts_with(kOwnPrefix)) apply_own_variable(variable, value, assembly);
  }
}

}  // namespace toll::config
