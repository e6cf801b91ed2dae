#include "tests/sim/redis_core.h"

#include <algorithm>
#include <cctype>

namespace toll::sim {

namespace {

constexpr size_t kShownMax = 128;  // of what an unknown command was

// As printf would show it.
std::string_view shown(std::string_view text, size_t bytes_max) {
  return text.substr(0, std::min(text.find('\0'), bytes_max));
}

std::string unknown_command(std::span<const std::string_view> words) {
  std::string arguments;
  for (const std::string_view word : words.subspan(1)) {
    if (arguments.size() >= kShownMax) break;
    const std::string_view part = shown(word, kShownMax - arguments.size());
    arguments.append("'").append(part).append("' ");
  }
  return "ERR unknown command '" + std::string(shown(words[0], kShownMax)) +
         "', with args beginning with: " + arguments;
}

std::string unknown_subcommand(const Command& container, std::string_view name) {
  std::string upper(container.name);
  std::ranges::transform(upper, upper.begin(), [](unsigned char c) { return std::toupper(c); });
  return "ERR unknown subcommand '" + std::string(shown(name, kShownMax)) + "'. Try " + upper +
         " HELP.";
}

struct Found {
  const Command* command = nullptr;
  const Command* container = nullptr;  // of which there is no such subcommand
};

Found find(std::span<const std::string_view> words) {
  const Command* const command = find_command(words[0]);
  if (command == nullptr || !command->has(kContainer) || words.size() < 2) return {command};
  const Command* const subcommand = find_subcommand(*command, words[1]);
  return {subcommand, subcommand == nullptr ? command : nullptr};
}

// With what the script says of itself that it runs.
uint32_t flags_of(const RedisCore& core, const Command& command,
                  std::span<const std::string_view> words) {
  if (command.name == "eval") return flags_with(command.flags, script_traits(words[1]));
  if (command.name != "evalsha") return command.flags;
  const RedisScript* const script = core.scripts.find(words[1]);
  return script == nullptr ? command.flags : flags_with(command.flags, script->traits);
}

// Why a client's command is not run, with its code; "" if it is.
std::string refusal(const RedisCore& core, const RedisSession& session, const Command& command,
                    std::span<const std::string_view> words) {
  if (core.password && !session.logged_in && !command.has(kNoAuth)) {
    return "NOAUTH Authentication required.";
  }
  if (core.trouble != Trouble::kNone) {
    std::string refused = refusal(core.trouble, command.name, flags_of(core, command, words));
    if (!refused.empty()) return refused;
  }
  if (!session.channels.empty() && !command.has(kSubscribed)) {
    return "ERR Can't execute '" + std::string(command.name) +
           "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this "
           "context";
  }
  return {};
}

Keys& keys_of(RedisCore& core, const RedisSession& session) {
  return core.data.databases.at(static_cast<size_t>(session.database));
}

// The commands of one run of a script.
class ScriptRun : public ScriptHost {
 public:
  ScriptRun(Call& call, const ScriptTraits& traits) : call_(call), traits_(traits) {
    session_.database = call.session.database;
  }

  void call(std::span<const std::string_view> words, std::string& output) override {
    Reply reply(output);
    const Command* const command = find(words).command;
    const std::string_view fault = fault_of(command, words.size());
    if (!fault.empty()) return reply.error(fault);
    has_written_ |= command->has(kWrite);
    ++call_.core.script_commands_run;
    Call inner{words,        keys_of(call_.core, session_),
               call_.now_us, call_.now_ms,
               reply,        call_.core,
               session_,     command->name};
    command->run(inner);
  }

 private:
  std::string_view fault_of(const Command* command, size_t words) const {
    if (command == nullptr) return "ERR Unknown Redis command called from script";
    if (!command->takes(words)) return "ERR Wrong number of args calling Redis command from script";
    if (command->has(kNoScript)) return "ERR This Redis command is not allowed from script";
    const Trouble trouble = call_.session.inside ? Trouble::kNone : call_.core.trouble;
    return refusal_in_script(trouble, traits_, *command, has_written_);
  }

  Call& call_;
  const ScriptTraits& traits_;
  RedisSession session_;  // a client of its own, as to SELECT
  bool has_written_ = false;
};

}  // namespace

void run_command(RedisCore& core, RedisSession& session, std::span<const std::string_view> words,
                 int64_t now_us, std::string& output) {
  Reply reply(output);
  const auto [command, container] = find(words);
  if (container != nullptr) return reply.error(unknown_subcommand(*container, words[1]));
  if (command == nullptr) return reply.error(unknown_command(words));
  if (!command->takes(words.size())) {
    return reply.error("ERR wrong number of arguments for '" + std::string(command->name) +
                       "' command");
  }
  if (!session.inside) {
    const std::string refused = refusal(core, session, *command, words);
    if (!refused.empty()) return reply.error(refused);
    ++core.commands_run;
  }
  Call call{words,   keys_of(core, session), now_us, now_us / 1000, reply, core,
            session, command->name};
  command->run(call);
}

std::optional<size_t> count_keys(Call& call) {
  const auto keys = whole_number_at(call, 2);
  if (!keys) return std::nullopt;
  if (*keys >= 0 && *keys <= static_cast<int64_t>(call.words.size() - 3)) {
    return static_cast<size_t>(*keys);
  }
  call.reply.error(*keys < 0 ? "ERR Number of keys can't be negative"
                             : "ERR Number of keys can't be greater than number of args");
  return std::nullopt;
}

void run_script(Call& call, const RedisScript& script, size_t keys) {
  if (!call.session.inside) {
    const std::string_view refused = refusal_of_undeclared(call.core.trouble);
    if (!script.traits.declared && !refused.empty()) return call.reply.error(refused);
    ++call.core.scripts_run;
  }
  const std::span<const std::string_view> words = call.words.subspan(3);
  ScriptRun host(call, script.traits);
  call.core.scripts.run(script, words.first(keys), words.subspan(keys), host, call.reply);
}

}  // namespace toll::sim
