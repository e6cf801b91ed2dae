// What the daemon's links to Redis have in common: how they are set up from the configuration, and
// which scripts those that decide have loaded. Any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "config/settings.h"
#include "net/redis_address.h"
#include "net/redis_link.h"

namespace toll::daemon {

// Places in store_scripts(), for RedisLink::sha1().
enum StoreScript : uint8_t {
  kLimitsScript,
  kNodesScript,
  kCostsScript,
  kEpochScript,
  kLogTrimScript,
  kLogReturnScript,
  kStoreScripts
};

// All that a link which decides loads. Good for ever.
std::span<const net::RedisScript> store_scripts();

// For a link to that address that calls itself `client_name`; without scripts, on database 0.
net::RedisLinkSettings link_settings(const config::RedisSettings& settings,
                                     const net::RedisAddress& address, std::string client_name);

}  // namespace toll::daemon
