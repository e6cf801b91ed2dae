// [policies.*]: the rows of a policy, what was said of each, and the engine's policy made of it.
//
// Drafts belong to one run of the loader. One thread.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/keys.h"

namespace toll::config {

// One policy while its file, the environment and the defaults still speak.
struct PolicyDraft {
  engine::PolicySpec spec;  // what was said of it; the rest once it is finished
  Origin origin;
  std::map<std::string_view, Origin> said;  // the rows that were given, by name
  std::set<std::string_view> refused;       // those of them whose value could not be taken
  bool faulty = false;                      // something was reported

  std::vector<engine::Limit> limits;      // `limits`, or `limit` as a text
  std::vector<Position> limit_positions;  // beside `limits`
  std::optional<int64_t> count;           // `limit` as a number
  int64_t burst = 0;
  int64_t ttl_us = 0;
};

// The rows of one policy.
std::span<const Key<PolicyDraft>> policy_keys();

// The policies in force when no file is given.
std::vector<PolicyDraft> shipped_policies();

// Lets a row take `value`, over anything that a lower layer said. REQUIRES: the origins of calls
// for one policy do not fall in precedence.
void say(const Key<PolicyDraft>& key, const Value& value, const Origin& origin, PolicyDraft& policy,
         Report& report);

// Fills each policy's spec from what was said and from `defaults`, checks that it belongs together,
// and reports what does not. The specs are the engine's, complete, where nothing was reported.
void finish_policies(std::vector<PolicyDraft>& policies, const engine::PolicySpec& defaults,
                     Report& report);

// "policies.api", or "policies.api.limits", fit for a message.
std::string policy_name(std::string_view policy);
std::string policy_name(std::string_view policy, std::string_view key);

}  // namespace toll::config
