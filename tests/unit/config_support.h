// What the tests of the configuration share: loading from a text, and looking at what came of it.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/assemble.h"
#include "config/host.h"

namespace toll::config {

using Result = std::expected<Loaded, std::vector<Fault>>;

// Host paths that are the same wherever the tests run.
inline Sources sources(Environment environment = {}) {
  environment.emplace("RUNTIME_DIRECTORY", "/run/tollkeeper");
  environment.emplace("STATE_DIRECTORY", "/var/lib/tollkeeper");
  return {.file = std::nullopt, .socket = std::nullopt, .environment = std::move(environment)};
}

inline Result load_t(std::string_view text, const Sources& from = sources()) {
  return load_text(text, "t.toml", from);
}

inline std::string faults(const Result& result) {
  if (result) return "no fault";
  std::string all;
  for (const Fault& fault : result.error()) all += fault.text() + "\n";
  return all;
}

inline std::string faults_of(std::string_view text) {
  return faults(load_t(text));
}

inline std::string faults_with(Environment environment) {
  return faults(load_embedded(sources(std::move(environment))));
}

inline const engine::PolicySpec& policy(const Result& result, std::string_view name) {
  for (const engine::PolicySpec& spec : result->settings.policies) {
    if (spec.name == name) return spec;
  }
  throw std::runtime_error("no such policy");
}

inline std::string limits(const Result& result, std::string_view name) {
  return engine::PolicyTable::describe_limits(policy(result, name));
}

inline std::string origin(const Result& result, std::string_view key) {
  for (const Setting& setting : result->printed) {
    if (setting.key == key) return setting.origin;
  }
  return "not printed";
}

}  // namespace toll::config
