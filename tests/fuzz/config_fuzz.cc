// Any bytes at all as a configuration file: the loader answers with faults that fit on a line each,
// or with settings that the engine takes and that, printed and loaded again, are the same.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "config/assemble.h"
#include "config/limits.h"

namespace {

using toll::config::Fault;
using toll::config::Settings;
using toll::config::Sources;

void require(bool holds) {
  if (!holds) __builtin_trap();
}

// Host paths that are the same for every input.
const Sources& sources() {
  static const Sources kSources = {
      .file = std::nullopt,
      .socket = std::nullopt,
      .environment = {{"RUNTIME_DIRECTORY", "/run/tollkeeper"}, {"RATE_LIMIT_GENERAL", "7,9"}}};
  return kSources;
}

void check_fault(const Fault& fault) {
  require(!fault.where.empty() && !fault.message.empty());
  const std::string text = fault.text();
  require(text.find('\n') == std::string::npos && text.size() < 1'000);
  require(toll::config::is_plain_text(text));
}

void check_settings(const Settings& settings) {
  require(!settings.server.socket.empty());
  require(settings.server.socket.size() <= toll::config::kSocketPathMax);
  require(settings.server.workers <= toll::config::kWorkersMax);
  const auto table = toll::engine::PolicyTable::build(settings.policies, nullptr);
  require(table.has_value());
  for (const auto& policy : settings.policies) {
    require((*table)->find(policy.name)->spec == policy);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto loaded = toll::config::load_text(text, "fuzz.toml", sources());
  if (!loaded) {
    require(!loaded.error().empty());
    for (const Fault& fault : loaded.error()) check_fault(fault);
    return 0;
  }
  check_settings(loaded->settings);
  const std::string printed = toll::config::print(*loaded);
  // The password is not printed.
  toll::config::RedisSettings redis = loaded->settings.redis;
  redis.password.clear();
  const auto again = toll::config::load_text(printed, "printed.toml", sources());
  require(again.has_value());
  require(again->settings.server == loaded->settings.server);
  require(again->settings.redis == redis);
  require(again->settings.log == loaded->settings.log);
  require(again->settings.policies == loaded->settings.policies);
  require(toll::config::fixed_differences(loaded->settings, again->settings).empty());
  return 0;
}
