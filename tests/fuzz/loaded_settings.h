// What the loader promises of every configuration, whatever it was made of: faults that fit on a
// line each, or settings that the engine takes and that, printed and loaded again, are the same.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "config/assemble.h"
#include "config/limits.h"
#include "config/text.h"
#include "engine/policy.h"
#include "tests/fuzz/require.h"

namespace toll::fuzz {

inline void check_faults(const std::vector<config::Fault>& faults) {
  require(!faults.empty(), "what is not loaded has a fault");
  for (const config::Fault& fault : faults) {
    require(!fault.where.empty() && !fault.message.empty(), "a fault says where and what");
    require(fault.text().size() < 1'000, "a fault fits on a line");
    require(config::is_plain_text(fault.text()), "a fault is one line of text");
  }
}

inline void check_settings(const config::Settings& settings) {
  require(!settings.server.socket.empty(), "there is a socket");
  require(settings.server.socket.size() <= config::kSocketPathMax, "its path is within its bound");
  require(settings.server.workers <= config::kWorkersMax, "workers are within their bound");
  const auto table = engine::PolicyTable::build(settings.policies, nullptr);
  require(table.has_value(), "the engine takes the policies");
  for (const auto& policy : settings.policies) {
    require((*table)->find(policy.name)->spec == policy, "and takes them as they are");
  }
}

// Neither the password nor where it was read from is printed.
inline config::RedisSettings without_password(config::RedisSettings redis) {
  redis.password.clear();
  redis.password_path.clear();
  return redis;
}

// `host` are the sources beside the text that is printed.
inline void check_loaded(const config::Loaded& loaded, const config::Sources& host) {
  const config::Settings& settings = loaded.settings;
  check_settings(settings);
  for (const std::string& warning : loaded.warnings) {
    require(config::is_plain_text(warning), "a warning is one line of text");
  }
  const auto again = config::load_text(config::print(loaded), "printed.toml", host);
  require(again.has_value(), "what is printed can be loaded");
  require(again->settings.server == settings.server, "what is printed is the same server");
  require(without_password(again->settings.redis) == without_password(settings.redis),
          "what is printed is the same Redis");
  require(again->settings.log == settings.log, "what is printed is the same log");
  require(again->settings.policies == settings.policies, "what is printed are the same policies");
  require(config::fixed_differences(settings, again->settings).empty(),
          "what is printed needs no restart");
}

inline void check_outcome(const std::expected<config::Loaded, std::vector<config::Fault>>& loaded,
                          const config::Sources& host) {
  loaded ? check_loaded(*loaded, host) : check_faults(loaded.error());
}

}  // namespace toll::fuzz
