#include "net/redis_greeting.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <fmt/format.h>
#include <utility>

#include "net/limits.h"

namespace toll::net {

namespace {

// From here on a script may say #!lua.
constexpr uint32_t kShebangMajor = 7;

// The value of "name:value" in what INFO says; "" if it is not there.
std::string_view field(std::string_view info, std::string_view name) {
  while (!info.empty()) {
    const size_t end = info.find("\r\n");
    const std::string_view line = info.substr(0, end);
    if (line.size() > name.size() && line.starts_with(name) && line[name.size()] == ':') {
      return line.substr(name.size() + 1);
    }
    info.remove_prefix(end == info.npos ? info.size() : end + 2);
  }
  return {};
}

void read_version(std::string_view text, RedisServer& server) {
  const char* const end = text.data() + text.size();
  const auto [dot, error] = std::from_chars(text.data(), end, server.major);
  if (error == std::errc{} && dot != end && *dot == '.') {
    std::from_chars(dot + 1, end, server.minor);
  }
}

bool is_no_auth(std::string_view message) {
  return message.starts_with("NOAUTH");
}

}  // namespace

ScriptLoad judge_script_load(const RedisReply& reply, std::string_view sha1) {
  if (reply.kind == RedisReply::Kind::kError) {
    const bool refused = error_kind(reply.text) == RedisErrorKind::kRefused;
    return refused && !is_no_auth(reply.text) ? ScriptLoad::kNotAllowed : ScriptLoad::kFailed;
  }
  if (reply.kind != RedisReply::Kind::kString) return ScriptLoad::kFailed;
  return reply.text == sha1 ? ScriptLoad::kLoaded : ScriptLoad::kOtherScript;
}

std::string shown_error(std::string_view message) {
  std::string shown(message.substr(0, kRedisErrorTextMax));
  std::ranges::replace_if(shown, [](char c) { return c < ' ' || c > '~'; }, '?');
  return shown;
}

RedisGreeting::RedisGreeting(const RedisLinkSettings& settings) : settings_(settings) {}

void RedisGreeting::begin(OutputBuffer& output) {
  server_ = {};
  asked_.clear();
  answered_ = 0;
  loading_ = false;
  load_failed_ = false;
  old_scripts_ = false;
  refused_ = false;
  failure_.clear();
  if (!settings_.username.empty()) {
    ask(output, Ask::kAuth, {"AUTH", settings_.username, settings_.password});
  } else if (!settings_.password.empty()) {
    ask(output, Ask::kAuth, {"AUTH", settings_.password});
  }
  if (!settings_.client_name.empty()) {
    ask(output, Ask::kName, {"CLIENT", "SETNAME", settings_.client_name});
  }
  if (settings_.database != 0) {
    ask(output, Ask::kSelect, {"SELECT", std::to_string(settings_.database)});
  }
  ask(output, Ask::kNoEvict, {"CLIENT", "NO-EVICT", "on"});
  ask(output, Ask::kServer, {"INFO", "server"});
  ask(output, Ask::kMemory, {"INFO", "memory"});
  ask(output, Ask::kRole, {"INFO", "replication"});
  // All the others are answered even by a Redis that is loading its data.
  ask(output, Ask::kPing, {"PING"});
}

void RedisGreeting::ask(OutputBuffer& output, Ask what,
                        std::initializer_list<std::string_view> words) {
  writer_.write(output, words);
  asked_.push_back(what);
}

void RedisGreeting::ask_scripts(OutputBuffer& output) {
  loading_ = true;
  load_failed_ = false;
  answered_ = 0;
  for (const RedisScript& script : settings_.scripts) {
    writer_.write(output, {"SCRIPT", "LOAD", old_scripts_ ? script.body_6 : script.body});
  }
}

RedisGreeting::Step RedisGreeting::on_reply(const RedisReply& reply, OutputBuffer& output) {
  assert(failure_.empty());
  return loading_ ? on_script(reply, output) : on_answer(reply, output);
}

RedisGreeting::Step RedisGreeting::on_answer(const RedisReply& reply, OutputBuffer& output) {
  assert(answered_ < asked_.size());
  const Ask what = asked_[answered_++];
  if (reply.kind == RedisReply::Kind::kError) {
    if (on_error(what, reply.text) == Step::kFailed) return Step::kFailed;
  } else if (reply.kind == RedisReply::Kind::kString) {
    learn(what, reply.text);
  }
  if (answered_ < asked_.size()) return Step::kMore;
  if (!server_.role.empty() && server_.role != "master") {
    return fail("it is a replica; give the address of the master");
  }
  if (settings_.scripts.empty()) return Step::kDone;
  old_scripts_ = server_.major != 0 && server_.major < kShebangMajor;
  ask_scripts(output);
  return Step::kMore;
}

void RedisGreeting::learn(Ask what, std::string_view text) {
  if (what == Ask::kServer) {
    read_version(field(text, "redis_version"), server_);
    server_.run_id = field(text, "run_id");
  } else if (what == Ask::kMemory) {
    server_.maxmemory_policy = field(text, "maxmemory_policy");
  } else if (what == Ask::kRole) {
    server_.role = field(text, "role");
  }
}

// Some errors are about Redis and some about us, whatever was asked. Of the rest only AUTH and
// SELECT matter: without what the others do or tell one can live.
RedisGreeting::Step RedisGreeting::on_error(Ask what, std::string_view message) {
  switch (error_kind(message)) {
    case RedisErrorKind::kLoading:
      return fail("it is still loading its data");
    case RedisErrorKind::kReadOnly:
      return fail("it is a replica that lost its master");
    case RedisErrorKind::kTooMany:
      return fail("it has as many clients as it takes; raise its maxclients");
    case RedisErrorKind::kBusy:
      return fail("it is busy with a script that does not end");
    default:
      break;
  }
  if (what == Ask::kAuth) return on_refused_password(message);
  if (is_no_auth(message)) {
    return fail("it wants a password, and none is configured (redis.password_file)", true);
  }
  if (message.starts_with("DENIED")) {
    return fail("it is in protected mode: it needs a password, or an address to bind to", true);
  }
  if (what != Ask::kSelect) return Step::kMore;
  const bool refused = error_kind(message) == RedisErrorKind::kRefused;
  return fail(
      fmt::format("database {} cannot be selected: {}", settings_.database, shown_error(message)),
      refused);
}

// A Redis that does not know AUTH repeats its arguments, so nothing of the message is told.
RedisGreeting::Step RedisGreeting::on_refused_password(std::string_view message) {
  if (message.contains("without any password configured") ||
      message.contains("no password is set")) {
    return fail("a password is configured here, and its default user has none", true);
  }
  if (error_kind(message) == RedisErrorKind::kRefused) {
    return fail("it refuses the user name or the password (redis.password_file)", true);
  }
  return fail("AUTH failed; does it know that command?", true);
}

RedisGreeting::Step RedisGreeting::on_script(const RedisReply& reply, OutputBuffer& output) {
  assert(answered_ < settings_.scripts.size());
  const RedisScript& script = settings_.scripts[answered_++];
  switch (judge_script_load(reply, old_scripts_ ? script.sha1_6 : script.sha1)) {
    case ScriptLoad::kLoaded:
    case ScriptLoad::kNotAllowed:
      break;
    case ScriptLoad::kOtherScript:
      return fail(fmt::format("it has another digest for script {}", script.name));
    case ScriptLoad::kFailed:
      load_failed_ = true;
      if (server_.major == 0 && !old_scripts_) break;
      return fail(
          fmt::format("script {} cannot be loaded: {}", script.name, shown_error(reply.text)));
  }
  if (answered_ < settings_.scripts.size()) return Step::kMore;
  if (!load_failed_) return Step::kDone;
  old_scripts_ = true;
  ask_scripts(output);
  return Step::kMore;
}

RedisGreeting::Step RedisGreeting::fail(std::string what, bool refused) {
  failure_ = std::move(what);
  refused_ = refused;
  return Step::kFailed;
}

}  // namespace toll::net
