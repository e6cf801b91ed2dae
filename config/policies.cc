#include "config/policies.h"

#include <algorithm>
#include <array>
#include <cassert>

#include "config/limits.h"
#include "engine/key_name.h"

namespace toll::config {
namespace {

using engine::Algorithm;
using PolicyKey = Key<PolicyDraft>;

constexpr Expected kInFlightExpected =
    "a number of requests in flight, without a window, such as limit = 20";

bool has_burst(Algorithm algorithm) {
  return algorithm == Algorithm::kGcra || algorithm == Algorithm::kTokenBucket;
}

Objected take_limits(const Value& value, PolicyDraft& policy) {
  if (value.kind != Kind::kList || value.items.empty()) return objection(value);
  std::vector<engine::Limit> limits;
  std::vector<Position> positions;
  for (const Value& item : value.items) {
    if (item.kind != Kind::kText) return objection(item);
    const auto limit = parse_limit(item.text);
    if (!limit) return objection(item, limit.error());
    limits.push_back(*limit);
    positions.push_back(item.position);
  }
  policy.limits = std::move(limits);
  policy.limit_positions = std::move(positions);
  policy.count.reset();
  return std::nullopt;
}

// Either a count, for concurrency, or a single limit.
Objected take_limit(const Value& value, PolicyDraft& policy) {
  if (value.kind == Kind::kInteger) {
    if (value.integer < 1 || value.integer > engine::kConcurrencyLimitMax) return objection(value);
    policy.count = value.integer;
    policy.limits.clear();
    policy.limit_positions.clear();
    return std::nullopt;
  }
  if (value.kind != Kind::kText) return objection(value);
  const auto limit = parse_limit(value.text);
  if (!limit) return objection(value, limit.error());
  policy.limits = {*limit};
  policy.limit_positions = {value.position};
  policy.count.reset();
  return std::nullopt;
}

// "" is the algorithm's own key. What anything else must hold is the engine's to say, once the
// algorithm is known.
Objected take_key_template(const Value& value, PolicyDraft& policy) {
  if (value.kind != Kind::kText) return objection(value);
  if (!value.text.empty()) {
    return take_text(value, engine::kKeyTemplateMax, policy.spec.key_template);
  }
  policy.spec.key_template.clear();
  return std::nullopt;
}

std::string print_limits(const PolicyDraft& policy) {
  if (policy.spec.algorithm == Algorithm::kConcurrency) return "";
  std::string list;
  for (const engine::Limit& limit : policy.spec.limits) {
    if (!list.empty()) list += ", ";
    list += quote(format_limit(limit));
  }
  return fmt::format("[{}]", list);
}

std::string print_count(const PolicyDraft& policy) {
  if (policy.spec.algorithm != Algorithm::kConcurrency) return "";
  return fmt::format("{}", policy.spec.limits.front().count);
}

// With several limits the burst is each one's count, and cannot be said.
std::string print_burst(const PolicyDraft& policy) {
  if (!has_burst(policy.spec.algorithm) || policy.spec.limits.size() != 1) return "";
  return fmt::format("{}", policy.spec.limits.front().burst);
}

std::string print_ttl(const PolicyDraft& policy) {
  if (policy.spec.algorithm != Algorithm::kConcurrency) return "";
  return quote(format_duration(policy.spec.limits.front().window_us));
}

static_assert(engine::kKeyTemplateMax == 256);

constexpr std::array kPolicyKeys = {
    PolicyKey{"", "algorithm", Kind::kText, kAlgorithmExpected, "\"gcra\"",
              [](const Value& v, PolicyDraft& p) { return take_algorithm(v, p.spec.algorithm); },
              [](const PolicyDraft& p) { return quote(to_string(p.spec.algorithm)); }},
    PolicyKey{"", "limits", Kind::kList, "a list of limits as count/window",
              "[\"100/1s\", \"5000/1h\"]", take_limits, print_limits},
    PolicyKey{"", "limit", Kind::kInteger, "a limit as count/window, or for concurrency 1 to 65536",
              "\"100/1s\"", take_limit, print_count},
    PolicyKey{"", "burst", Kind::kInteger, "a whole number from 1 to 2147483647", "50",
              [](const Value& v, PolicyDraft& p) {
                return take_int64(v, 1, engine::kLimitCountMax, p.burst);
              },
              print_burst},
    PolicyKey{"", "ttl", Kind::kText, "a duration from 1ms to 366d", "\"2m\"",
              [](const Value& v, PolicyDraft& p) {
                return take_duration(v, engine::kWindowMinUs, engine::kWindowMaxUs, p.ttl_us);
              },
              print_ttl},
    PolicyKey{"", "mode", Kind::kText, kModeExpected, "\"exact\"",
              [](const Value& v, PolicyDraft& p) { return take_mode(v, p.spec.mode); },
              [](const PolicyDraft& p) { return quote(to_string(p.spec.mode)); }},
    PolicyKey{"", "on_outage", Kind::kText, kOnOutageExpected, "\"local\"",
              [](const Value& v, PolicyDraft& p) { return take_on_outage(v, p.spec.on_outage); },
              [](const PolicyDraft& p) { return quote(to_string(p.spec.on_outage)); }},
    PolicyKey{"", "deadline", Kind::kText, kDeadlineExpected, "\"50ms\"",
              [](const Value& v, PolicyDraft& p) { return take_deadline(v, p.spec.deadline_us); },
              [](const PolicyDraft& p) { return quote(format_duration(p.spec.deadline_us)); }},
    PolicyKey{"", "key", Kind::kText, "a key with {id} in it, at most 256 bytes",
              "\"ratelimit:{id}\"", take_key_template,
              [](const PolicyDraft& p) {
                return p.spec.key_template.empty() ? "" : quote(p.spec.key_template);
              }},
};

// Judges one policy whose algorithm is known, as far as the values that could be taken go.
class PolicyFinisher {
 public:
  PolicyFinisher(PolicyDraft& policy, Report& report) : policy_(policy), report_(report) {}

  void finish(const engine::PolicySpec& defaults) {
    fill_from(defaults);
    judge_key();
    if (said("limits") && said("limit")) {
      return refuse("limit", "given together with limits, expected one of the two");
    }
    if (policy_.spec.algorithm == Algorithm::kConcurrency) {
      finish_concurrency();
    } else {
      finish_windows();
    }
  }

 private:
  bool said(std::string_view key) const { return policy_.said.contains(key); }
  bool refused(std::string_view key) const { return policy_.refused.contains(key); }

  void fill_from(const engine::PolicySpec& defaults) {
    engine::PolicySpec& spec = policy_.spec;
    if (!said("algorithm")) spec.algorithm = defaults.algorithm;
    if (!said("mode")) spec.mode = defaults.mode;
    if (!said("on_outage")) spec.on_outage = defaults.on_outage;
    if (!said("deadline")) spec.deadline_us = defaults.deadline_us;
  }

  void judge_key() {
    const engine::PolicySpec& spec = policy_.spec;
    if (spec.key_template.empty() || refused("key")) return;
    const auto fault = engine::key_template_fault(spec.algorithm, spec.key_template);
    if (!fault.empty()) refuse("key", std::string(fault));
  }

  void finish_concurrency() {
    if (said("burst")) refuse_algorithm("burst", "gcra or token_bucket");
    if (refused("limits") || refused("limit") || refused("ttl")) return;
    if (said("limits")) return refuse_as("limits", "counts with a window", kInFlightExpected);
    if (!said("limit")) return refuse_policy("no limit", kInFlightExpected);
    if (!policy_.count) return refuse_as("limit", "a count with a window", kInFlightExpected);
    const int64_t ttl_us = said("ttl") ? policy_.ttl_us : kTicketLifeDefaultUs;
    policy_.limit_positions = {policy_.said.at("limit").position};
    judge_limit("limit", 0, engine::make_limit(*policy_.count, 0, ttl_us));
  }

  void finish_windows() {
    constexpr Expected kExpected = "count/window, such as limits = [\"100/1s\"]";
    if (said("ttl")) refuse_algorithm("ttl", "concurrency");
    if (said("burst") && !has_burst(policy_.spec.algorithm)) {
      return refuse_algorithm("burst", "gcra or token_bucket");
    }
    if (refused("limits") || refused("limit") || refused("burst")) return;
    if (policy_.count) return refuse_as("limit", "a count without a window", kExpected);
    if (policy_.limits.empty()) return refuse_policy("no limit", kExpected);
    if (said("burst") && policy_.limits.size() > 1) {
      return refuse("burst", fmt::format("given with {} limits, expected exactly one limit with it",
                                         policy_.limits.size()));
    }
    const std::string_view key = said("limits") ? "limits" : "limit";
    for (size_t i = 0; i < policy_.limits.size(); ++i) {
      const engine::Limit& limit = policy_.limits[i];
      judge_limit(key, i,
                  engine::make_limit(limit.count, policy_.burst, limit.window_us, limit.calendar));
    }
  }

  // Takes the limit into the spec unless the engine objects to it.
  void judge_limit(std::string_view key, size_t index, const engine::Limit& limit) {
    const std::string_view fault = engine::limit_fault(policy_.spec.algorithm, limit);
    if (fault.empty()) return policy_.spec.limits.push_back(limit);
    Origin at = policy_.said.at(key);
    if (at.layer == Layer::kFile) at.position = policy_.limit_positions[index];
    policy_.faulty = true;
    report_.fault(at, policy_name(policy_.spec.name, key), std::string(fault));
  }

  void refuse(std::string_view key, std::string message) {
    policy_.faulty = true;
    report_.fault(policy_.said.at(key), policy_name(policy_.spec.name, key), std::move(message));
  }

  void refuse_algorithm(std::string_view key, std::string_view wanted) {
    refuse(key, fmt::format("found in a policy whose algorithm is {}, expected {}",
                            to_string(policy_.spec.algorithm), wanted));
  }

  void refuse_as(std::string_view key, std::string_view found, Expected expected) {
    refuse(key, fmt::format("found {}, for the algorithm {} expected {}", found,
                            to_string(policy_.spec.algorithm), expected));
  }

  void refuse_policy(std::string_view found, Expected expected) {
    policy_.faulty = true;
    report_.fault(policy_.origin, policy_name(policy_.spec.name),
                  fmt::format("found {}, for the algorithm {} expected {}", found,
                              to_string(policy_.spec.algorithm), expected));
  }

  PolicyDraft& policy_;
  Report& report_;
};

// The engine's own objections. It names one at a time, so each policy is asked after alone, and all
// of them together only when each would do: what remains is that they are too many.
void judge_by_engine(const std::vector<PolicyDraft>& policies, Report& report) {
  std::vector<engine::PolicySpec> specs;
  bool all_good = true;
  for (const PolicyDraft& policy : policies) {
    engine::PolicySpec spec = policy.spec;
    if (policy.faulty) {
      // Its name can still be judged, with a limit that nobody objects to.
      spec.algorithm = Algorithm::kGcra;
      spec.limits = {engine::make_limit(1, 0, engine::kWindowMinUs)};
    }
    const auto alone = engine::PolicyTable::build({&spec, 1}, nullptr);
    if (alone) {
      specs.push_back(std::move(spec));
      continue;
    }
    all_good = false;
    report.fault(policy.origin, policy_name(policy.spec.name), alone.error().message);
  }
  if (!all_good) return;
  const auto together = engine::PolicyTable::build(specs, nullptr);
  if (together) return;
  const auto culprit =
      std::ranges::find(policies, together.error().policy,
                        [](const PolicyDraft& policy) { return policy.spec.name; });
  report.fault(culprit == policies.end() ? Origin{} : culprit->origin,
               policy_name(together.error().policy), together.error().message);
}

struct Shipped {
  std::string_view name;
  std::string_view algorithm;  // "" is the default one
  std::string_view limits;
};

// The shipped config/tollkeeper.toml has the same; a test compares them.
constexpr std::array kShipped = {
    Shipped{"general", "sliding_window", "120/60s"},
    Shipped{"auth", "sliding_window", "30/60s"},
    Shipped{"sensitive", "sliding_window", "10/60s"},
    Shipped{"admin", "sliding_window", "300/60s"},
    Shipped{"mfa", "sliding_window", "5/60s"},
    Shipped{"financial", "sliding_window", "20/60s"},
    Shipped{"s1", "gcra", "100/1s"},
    Shipped{"s2", "gcra", "50/1s"},
    Shipped{"s3", "gcra", "20/1s"},
    Shipped{"s4", "gcra", "100/1m"},
    Shipped{"s5", "gcra", "50/5m"},
    Shipped{"api", "", "100/1s,5000/1h"},
};

}  // namespace

std::span<const Key<PolicyDraft>> policy_keys() {
  return kPolicyKeys;
}

std::vector<PolicyDraft> shipped_policies() {
  Report report("");
  std::vector<PolicyDraft> policies;
  for (const Shipped& shipped : kShipped) {
    PolicyDraft& policy = policies.emplace_back();
    policy.spec.name = shipped.name;
    for (const PolicyKey& key : kPolicyKeys) {
      const std::string_view text = key.name == "algorithm" ? shipped.algorithm
                                    : key.name == "limits"  ? shipped.limits
                                                            : "";
      if (!text.empty()) say(key, value_from_text(text, key.kind), Origin{}, policy, report);
    }
  }
  assert(report.empty());
  return policies;
}

void say(const Key<PolicyDraft>& key, const Value& value, const Origin& origin, PolicyDraft& policy,
         Report& report) {
  if (!take(key, policy_name(policy.spec.name, key.name), value, origin, policy, report)) {
    policy.refused.insert(key.name);
    policy.faulty = true;
  }
  policy.said[key.name] = origin;
  // Two ways to say one thing: the higher layer's word replaces both.
  const std::string_view other = key.name == "limits"  ? "limit"
                                 : key.name == "limit" ? "limits"
                                                       : "";
  const auto replaced = policy.said.find(other);
  if (replaced != policy.said.end() && replaced->second.layer < origin.layer) {
    policy.said.erase(replaced);
  }
}

void finish_policies(std::vector<PolicyDraft>& policies, const engine::PolicySpec& defaults,
                     Report& report) {
  const bool default_unknown = report.has_fault_of("defaults.algorithm");
  for (PolicyDraft& policy : policies) {
    const bool unknown =
        policy.said.contains("algorithm") ? policy.refused.contains("algorithm") : default_unknown;
    if (unknown) {
      policy.faulty = true;
    } else {
      PolicyFinisher(policy, report).finish(defaults);
    }
  }
  judge_by_engine(policies, report);
}

std::string policy_name(std::string_view policy) {
  return fmt::format("policies.{}", shown(policy));
}

std::string policy_name(std::string_view policy, std::string_view key) {
  return fmt::format("policies.{}.{}", shown(policy), key);
}

}  // namespace toll::config
