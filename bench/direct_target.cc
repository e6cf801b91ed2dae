#include "bench/direct_target.h"

#include <fmt/format.h>
#include <utility>

#include "bench/direct_scripts.h"
#include "bench/redis_client.h"

namespace toll::bench {
namespace {

constexpr const char* kListKey = "logs:queue";  // as the daemon's is by default

// As the daemon calls its keys.
std::string key_prefix(Algorithm algorithm, const std::string& policy) {
  return fmt::format("{}:{}:", algorithm == Algorithm::kGcra ? "gcra" : "ratelimit", policy);
}

}  // namespace

std::expected<DirectTarget, std::string> DirectTarget::start(
    const TemporaryFolder& folder, const std::string& name, std::optional<int> cpu,
    Algorithm algorithm, const Limit& limit, const ScriptSettings& asked) {
  auto redis = start_redis(folder, name, cpu);
  if (!redis) return std::unexpected(redis.error());
  if (has_only(asked.mix, Verb::kPush)) {
    auto pushes = RequestScript::render_list_pushes(asked, kListKey);
    return DirectTarget(std::move(*redis), std::make_unique<RequestScript>(std::move(pushes)), 1);
  }
  auto client = RedisClient::connect(redis->socket_path());
  if (!client) return std::unexpected(client.error());
  auto sha1 = client->ask({"SCRIPT", "LOAD", direct_script(algorithm)});
  if (!sha1) return std::unexpected(sha1.error());

  const Limit kept = asked.policy == kRefusePolicy ? refusing_limit() : limit;
  ScriptSettings settings = asked;
  settings.direct = DirectCall{.sha1 = std::move(*sha1),
                               .key_prefix = key_prefix(algorithm, asked.policy),
                               .count = fmt::format("{}", kept.count),
                               .window_us = fmt::format("{}", kept.window_us)};
  return DirectTarget(std::move(*redis),
                      std::make_unique<RequestScript>(RequestScript::render(settings)), 0);
}

Target DirectTarget::target() const {
  return {.name = "direct",
          .socket_path = redis_.socket_path(),
          .answers_by_kind = true,
          .redis_path = redis_.socket_path(),
          .clients = clients_,
          .script = script_.get()};
}

}  // namespace toll::bench
