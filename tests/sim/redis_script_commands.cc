// Scripts: loading and running them.
#include <array>

#include "tests/sim/redis_core.h"

namespace toll::sim {

namespace {

void eval(Call& call) {
  const auto keys = count_keys(call);
  if (!keys) return;
  const auto script = call.core.scripts.load(call.words[1]);
  if (!script) return call.reply.error(script.error());
  run_script(call, **script, *keys);
}

void evalsha(Call& call) {
  constexpr std::string_view kNoSuch = "NOSCRIPT No matching script. Please use EVAL.";
  if (call.words[1].size() != kDigestSize) return call.reply.error(kNoSuch);
  const auto keys = count_keys(call);
  if (!keys) return;
  const RedisScript* const script = call.core.scripts.find(call.words[1]);
  if (script == nullptr) return call.reply.error(kNoSuch);
  run_script(call, *script, *keys);
}

void script_load(Call& call) {
  const auto script = call.core.scripts.load(call.words[2]);
  if (!script) return call.reply.error(script.error());
  call.reply.bulk((*script)->sha1);
}

void script_exists(Call& call) {
  call.reply.array(call.words.size() - 2);
  for (const std::string_view sha1 : call.words.subspan(2)) {
    call.reply.integer(call.core.scripts.find(sha1) == nullptr ? 0 : 1);
  }
}

void script_flush(Call& call) {
  const bool known = call.words.size() == 2 ||
                     (call.words.size() == 3 &&
                      (is_word(call.words[2], "sync") || is_word(call.words[2], "async")));
  if (!known) return call.reply.error("ERR SCRIPT FLUSH only support SYNC|ASYNC option");
  call.core.scripts.flush();
  call.reply.status("OK");
}

constexpr std::array kScriptCommands{
    Command{"eval", -3, kNoScript | kStale, eval},
    Command{"evalsha", -3, kNoScript | kStale, evalsha},
    Command{"script", -2, kContainer, nullptr},
    Command{"script|exists", -3, kNoScript, script_exists},
    Command{"script|flush", -2, kNoScript, script_flush},
    Command{"script|load", 3, kNoScript | kStale, script_load},
};

}  // namespace

std::span<const Command> script_commands() {
  return kScriptCommands;
}

}  // namespace toll::sim
