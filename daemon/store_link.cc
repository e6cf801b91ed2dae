#include "daemon/store_link.h"

#include <array>
#include <utility>

#include "lua/scripts.h"

namespace toll::daemon {

std::span<const net::RedisScript> store_scripts() {
  static const std::array<net::RedisScript, kStoreScripts> kScripts = [] {
    const auto loadable = [](const lua::Script& script) {
      return net::RedisScript{script.name, script.body, script.sha1, script.body_6, script.sha1_6};
    };
    std::array<net::RedisScript, kStoreScripts> all;
    all[kLimitsScript] = loadable(lua::kLimits);
    all[kNodesScript] = loadable(lua::kNodes);
    all[kCostsScript] = loadable(lua::kCosts);
    all[kEpochScript] = loadable(lua::kEpoch);
    all[kLogTrimScript] = loadable(lua::kLogtrim);
    all[kLogReturnScript] = loadable(lua::kLogreturn);
    return all;
  }();
  return kScripts;
}

net::RedisLinkSettings link_settings(const config::RedisSettings& settings,
                                     const net::RedisAddress& address, std::string client_name) {
  net::RedisLinkSettings link;
  link.address = address;
  link.username = settings.username;
  link.password = settings.password;
  link.client_name = std::move(client_name);
  link.dial_timeout_ns = settings.dial_timeout_us * 1'000;
  link.call_timeout_ns = settings.call_timeout_us * 1'000;
  link.health_interval_ns = settings.health_interval_us * 1'000;
  // So that its return is noticed within a second or so.
  link.redial_max_ns = 1'000'000'000;
  return link;
}

}  // namespace toll::daemon
