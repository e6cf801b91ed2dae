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

// Whatever else is said within a transaction is kept for its EXEC, and may need memory.
bool ends_transaction(const Command& command) {
  return command.name == "exec" || command.name == "discard" || command.name == "quit" ||
         command.name == "reset";
}

// Why a client's command is not run, with its code; "" if it is.
std::string refusal(const RedisCore& core, const RedisSession& session, const Command& command,
                    std::span<const std::string_view> words) {
  if (core.password && !session.logged_in && !command.has(kNoAuth)) {
    return "NOAUTH Authentication required.";
  }
  if (core.trouble != Trouble::kNone) {
    uint32_t flags = flags_of(core, command, words);
    // What it would run counts for EXEC; what is kept for it may need memory.
    if (session.transaction && command.name == "exec") flags |= session.transaction->flags;
    if (session.transaction && !ends_transaction(command)) flags |= kDenyOom;
    std::string refused = refusal(core.trouble, command.name, flags);
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

// What is against the command, with its code; "" if it may be run.
std::string fault_of(const RedisCore& core, const RedisSession& session, const Command* command,
                     const Command* container, std::span<const std::string_view> words) {
  if (container != nullptr) return unknown_subcommand(*container, words[1]);
  if (command == nullptr) return unknown_command(words);
  if (!command->takes(words.size())) {
    return "ERR wrong number of arguments for '" + std::string(command->name) + "' command";
  }
  return session.inside ? std::string() : refusal(core, session, *command, words);
}

// A transaction of which one is refused is not run, nor is one whose EXEC is.
void refuse(RedisSession& session, const Command* command, const std::string& error, Reply& reply) {
  const bool of_exec = command != nullptr && command->name == "exec";
  if (session.transaction) session.transaction->spoiled = true;
  if (!of_exec) return reply.error(error);
  session.transaction.reset();
  reply.error("EXECABORT Transaction discarded because of: " + error);
}

}  // namespace

void run_command(RedisCore& core, RedisSession& session, std::span<const std::string_view> words,
                 int64_t now_us, std::string& output) {
  Reply reply(output);
  const auto [command, container] = find(words);
  const std::string refused = fault_of(core, session, command, container, words);
  if (!refused.empty()) return refuse(session, command, refused, reply);
  if (!session.inside) ++core.commands_run;
  if (session.transaction && command->name != "multi" && !ends_transaction(*command)) {
    session.transaction->calls.emplace_back(words.begin(), words.end());
    session.transaction->flags |= flags_of(core, *command, words);
    return reply.status("QUEUED");
  }
  Call call{words,   keys_of(core, session), now_us, now_us / 1000, reply, core,
            session, command->name};
  command->run(call);
}

void run_queued(Call& exec, const std::vector<std::string>& words) {
  const std::vector<std::string_view> views(words.begin(), words.end());
  const Command* const command = find(views).command;
  Call call{views,        keys_of(exec.core, exec.session),
            exec.now_us,  exec.now_ms,
            exec.reply,   exec.core,
            exec.session, command->name};
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
