#include "bench/direct_target.h"

#include <fmt/format.h>
#include <utility>

#include "bench/direct_scripts.h"
#include "bench/redis_client.h"

namespace toll::bench {
namespace {

// As the daemon calls its keys.
std::string key_prefix(Algorithm algorithm, const std::string& policy) {
  return fmt::format("{}:{}:", algorithm == Algorithm::kGcra ? "gcra" : "ratelimit", policy);
}

}  // namespace

std::expected<DirectTarget, std::string> DirectTarget::start(
    const TemporaryFolder& folder, const std::string& name, std::optional<int> cpu,
    Algorithm algorithm, const Limit& limit, const ScriptSettings& checks) {
  auto redis = start_redis(folder, name, cpu);
  if (!redis) return std::unexpected(redis.error());
  auto client = RedisClient::connect(redis->socket_path());
  if (!client) return std::unexpected(client.error());
  auto sha1 = client->ask({"SCRIPT", "LOAD", direct_script(algorithm)});
  if (!sha1) return std::unexpected(sha1.error());

  const Limit asked = checks.policy == kRefusePolicy ? refusing_limit() : limit;
  ScriptSettings settings = checks;
  settings.direct = DirectCall{.sha1 = std::move(*sha1),
                               .key_prefix = key_prefix(algorithm, checks.policy),
                               .count = fmt::format("{}", asked.count),
                               .window_us = fmt::format("{}", asked.window_us)};
  return DirectTarget(std::move(*redis),
                      std::make_unique<RequestScript>(RequestScript::render(settings)));
}

Target DirectTarget::target() const {
  return {"direct", redis_.socket_path(), true, redis_.socket_path(), script_.get()};
}

}  // namespace toll::bench
