#include "bench/direct_target.h"

#include <array>
#include <fmt/format.h>
#include <string_view>

#include "bench/direct_scripts.h"
#include "bench/redis_client.h"

namespace toll::bench {
namespace {

constexpr const char* kListKey = "logs:queue";  // as the daemon's is by default
constexpr std::array kCalled = {Verb::kCheck, Verb::kCost, Verb::kBudget, Verb::kHold};
constexpr std::array kListed = {Verb::kPush, Verb::kPop};

// What append_request() charges and holds, in nano-dollars, for a month or for a second.
constexpr const char* kAmount = "1000000";
constexpr const char* kAccountS = "2592000";
constexpr const char* kHoldMs = "1000";
constexpr const char* kAccount = "cost:{id}";
constexpr const char* kHolds = "holds:{id}";

// As the daemon calls its keys.
std::string limit_key(Algorithm algorithm, const std::string& policy) {
  return fmt::format("{}:{}:{{id}}", algorithm == Algorithm::kGcra ? "gcra" : "ratelimit", policy);
}

struct Call {
  std::string script;
  std::vector<std::string> words;  // after the script's name
};

Call call_of(Verb verb, Algorithm algorithm, const Limit& limit, const std::string& policy) {
  const std::string budget = fmt::format("{}", kBudgetDollars * 1'000'000'000);
  if (verb == Verb::kCost) {
    return {std::string(kDirectCharge), {"1", kAccount, kAmount, kAccountS}};
  }
  if (verb == Verb::kBudget) {
    return {direct_budget(), {"2", kAccount, kHolds, budget, kAmount}};
  }
  if (verb == Verb::kHold) {
    return {direct_hold(), {"2", kAccount, kHolds, budget, kAmount, kHoldMs}};
  }
  return {std::string(direct_script(algorithm)),
          {"1", limit_key(algorithm, policy), fmt::format("{}", limit.count),
           fmt::format("{}", limit.window_us), "1"}};
}

}  // namespace

bool is_direct_list(const std::vector<MixPart>& mix) {
  return has_only(mix, kListed) && has_any(mix, Verb::kPush);
}

bool is_direct_mix(const std::vector<MixPart>& mix) {
  return has_only(mix, kCalled) || is_direct_list(mix);
}

std::expected<RequestScript, std::string> render_direct(const std::string& redis_path,
                                                        Algorithm algorithm, const Limit& limit,
                                                        const ScriptSettings& asked) {
  if (is_direct_list(asked.mix)) return RequestScript::render_list_calls(asked, kListKey);
  auto client = RedisClient::connect(redis_path);
  if (!client) return std::unexpected(client.error());
  ScriptSettings settings = asked;
  const Limit kept = asked.policy == kRefusePolicy ? refusing_limit() : limit;
  for (const Verb verb : kCalled) {
    if (!has_any(asked.mix, verb)) continue;
    Call call = call_of(verb, algorithm, kept, asked.policy);
    auto sha1 = client->ask({"SCRIPT", "LOAD", call.script});
    if (!sha1) return std::unexpected(sha1.error());
    call.words.insert(call.words.begin(), {"EVALSHA", *sha1});
    settings.direct.push_back({verb, std::move(call.words)});
  }
  return RequestScript::render(settings);
}

}  // namespace toll::bench
