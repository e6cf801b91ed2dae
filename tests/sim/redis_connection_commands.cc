// Connections: who is there, and what they say to be known.
#include <algorithm>
#include <array>
#include <limits>
#include <string>

#include "tests/sim/redis_core.h"

namespace toll::sim {

namespace {

constexpr std::string_view kDefaultUser = "default";
constexpr std::string_view kWrongPassword =
    "WRONGPASS invalid username-password pair or user is disabled.";

bool log_in(Call& call, std::string_view user, std::string_view password) {
  const auto& wanted = call.core.password;
  if (user == kDefaultUser && (!wanted || *wanted == password)) {
    return call.session.logged_in = true;
  }
  call.reply.error(kWrongPassword);
  return false;
}

void auth(Call& call) {
  if (call.words.size() > 3) return call.reply.error(kSyntaxError);
  const bool named = call.words.size() == 3;
  if (!named && !call.core.password) {
    return call.reply.error(
        "ERR AUTH <password> called without any password configured for the default user. Are you "
        "sure your configuration is correct?");
  }
  if (log_in(call, named ? call.words[1] : kDefaultUser, call.words.back())) {
    call.reply.status("OK");
  }
}

bool set_name(Call& call, std::string_view name) {
  if (!std::ranges::all_of(name, [](char c) { return c >= '!' && c <= '~'; })) {
    call.reply.error("ERR Client names cannot contain spaces, newlines or special characters.");
    return false;
  }
  call.session.name = name;
  return true;
}

void reply_hello(Call& call) {
  const auto field = [&call](std::string_view name, std::string_view value) {
    call.reply.bulk(name);
    call.reply.bulk(value);
  };
  call.reply.array(14);
  field("server", "redis");
  field("version", kRedisVersion);
  call.reply.bulk("proto");
  call.reply.integer(2);
  call.reply.bulk("id");
  call.reply.integer(static_cast<int64_t>(call.session.number));
  field("mode", "standalone");
  field("role", is_replica(call.core.trouble) ? "replica" : "master");
  call.reply.bulk("modules");
  call.reply.array(0);
}

// AUTH and SETNAME behind HELLO 2.
bool read_hello_options(Call& call) {
  for (size_t i = 2; i < call.words.size(); ++i) {
    const size_t left = call.words.size() - 1 - i;
    if (is_word(call.words[i], "auth") && left >= 2) {
      if (!log_in(call, call.words[i + 1], call.words[i + 2])) return false;
      i += 2;
    } else if (is_word(call.words[i], "setname") && left >= 1) {
      if (!set_name(call, call.words[i + 1])) return false;
      ++i;
    } else {
      call.reply.error("ERR Syntax error in HELLO option '" + std::string(call.words[i]) + "'");
      return false;
    }
  }
  return true;
}

void hello(Call& call) {
  if (call.words.size() > 1) {
    const auto version = whole_number(call.words[1]);
    if (!version) {
      return call.reply.error("ERR Protocol version is not an integer or out of range");
    }
    // RESP3 is not there, as in a Redis before 6.
    if (*version != 2) return call.reply.error("NOPROTO unsupported protocol version");
    if (!read_hello_options(call)) return;
  }
  if (call.core.password && !call.session.logged_in) {
    return call.reply.error(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
        "AUTH <user> <pass> option can be used to authenticate the client and select the "
        "RESP protocol version at the same time");
  }
  reply_hello(call);
}

void select(Call& call) {
  const auto number = whole_number_at(call, 1);
  if (!number) return;
  if (*number > std::numeric_limits<int>::max() || *number < std::numeric_limits<int>::min()) {
    return call.reply.error(
        "ERR value is out of range, value must between -2147483648 and 2147483647");
  }
  if (*number < 0 || *number >= kDatabases) {
    return call.reply.error("ERR DB index is out of range");
  }
  call.session.database = static_cast<int>(*number);
  call.reply.status("OK");
}

void client_setname(Call& call) {
  if (set_name(call, call.words[2])) call.reply.status("OK");
}

void client_getname(Call& call) {
  if (call.session.name.empty()) return call.reply.null_bulk();
  call.reply.bulk(call.session.name);
}

void client_id(Call& call) {
  call.reply.integer(static_cast<int64_t>(call.session.number));
}

void client_no_evict(Call& call) {
  if (!is_word(call.words[2], "on") && !is_word(call.words[2], "off")) {
    return call.reply.error(kSyntaxError);
  }
  call.reply.status("OK");
}

void ping(Call& call) {
  if (call.words.size() > 2) {
    return call.reply.error("ERR wrong number of arguments for 'ping' command");
  }
  const std::string_view text = call.words.size() == 2 ? call.words[1] : "";
  if (!call.session.channels.empty()) {
    call.reply.array(2);
    call.reply.bulk("pong");
    call.reply.bulk(text);
  } else if (call.words.size() == 2) {
    call.reply.bulk(text);
  } else {
    call.reply.status("PONG");
  }
}

void echo(Call& call) {
  call.reply.bulk(call.words[1]);
}

void quit(Call& call) {
  call.session.ending = true;
  call.reply.status("OK");
}

void reset(Call& call) {
  forget_channels(call.core, call.session);
  call.session.transaction.reset();
  call.session.database = 0;
  call.session.name.clear();
  call.session.logged_in = !call.core.password;
  call.reply.status("RESET");
}

constexpr uint32_t kAnyTime = kNoScript | kLoading | kStale;

constexpr std::array kConnectionCommands{
    Command{"auth", -2, kAnyTime | kAllowBusy | kNoAuth, auth},
    Command{"client", -2, kContainer, nullptr},
    Command{"client|getname", 2, kAnyTime, client_getname},
    Command{"client|id", 2, kAnyTime, client_id},
    Command{"client|no-evict", 3, kAnyTime, client_no_evict},
    Command{"client|setname", 3, kAnyTime, client_setname},
    Command{"echo", 2, kLoading | kStale, echo},
    Command{"hello", -1, kAnyTime | kAllowBusy | kNoAuth, hello},
    Command{"ping", -1, kSubscribed, ping},
    Command{"quit", -1, kAnyTime | kAllowBusy | kNoAuth | kSubscribed, quit},
    Command{"reset", 1, kAnyTime | kAllowBusy | kNoAuth | kSubscribed, reset},
    Command{"select", 2, kLoading | kStale, select},
};

}  // namespace

std::span<const Command> connection_commands() {
  return kConnectionCommands;
}

}  // namespace toll::sim
