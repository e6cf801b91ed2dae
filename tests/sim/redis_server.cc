#include "tests/sim/redis_server.h"

#include <cassert>
#include <utility>

#include "tests/sim/redis_core.h"
#include "tests/sim/sha1.h"

namespace toll::sim {

namespace {

void start(RedisCore& core) {
  core.run_id = sha1_hex(core.server_name + ":" + std::to_string(++core.starts));
}

void forget(RedisCore& core, uint64_t number) {
  const auto found = core.sessions.find(number);
  forget_channels(core, found->second);
  core.sessions.erase(found);
}

void end(RedisCore& core, uint64_t number) {
  forget(core, number);
  core.sink.end_client(number);
}

void serve(RedisCore& core, RedisSession& session, int64_t now_us) {
  while (!session.ending) {
    const bool logged_in = session.logged_in || !core.password;
    switch (session.reader.next(logged_in)) {
      case RequestReader::Next::kMore:
        return;
      case RequestReader::Next::kFault:
        Reply(core.output).error("ERR " + session.reader.fault());
        session.ending = true;
        break;
      case RequestReader::Next::kRequest:
        run_command(core, session, session.reader.words(), now_us, core.output);
        break;
    }
  }
}

}  // namespace

RedisServer::RedisServer(RedisSink& sink, std::string_view name)
    : core_(std::make_unique<RedisCore>(sink, name)) {
  start(*core_);
}

RedisServer::~RedisServer() = default;

void RedisServer::connected(uint64_t session) {
  if (core_->trouble == Trouble::kMaxclients) {
    core_->sink.to_client(session, "-ERR max number of clients reached\r\n");
    core_->sink.end_client(session);
    return;
  }
  const auto [place, is_new] = core_->sessions.try_emplace(session);
  assert(is_new);
  place->second.number = session;
  place->second.logged_in = !core_->password;
}

void RedisServer::received(uint64_t session, std::string_view bytes, int64_t now_us) {
  const auto found = core_->sessions.find(session);
  if (found == core_->sessions.end()) return;
  RedisSession& from = found->second;
  core_->output.clear();
  from.reader.feed(bytes);
  serve(*core_, from, now_us);
  from.reader.keep();
  if (!core_->output.empty()) core_->sink.to_client(session, core_->output);
  if (from.ending) end(*core_, session);
}

void RedisServer::disconnected(uint64_t session) {
  if (core_->sessions.contains(session)) forget(*core_, session);
}

void RedisServer::kill_client(uint64_t session) {
  if (core_->sessions.contains(session)) end(*core_, session);
}

void RedisServer::flush_scripts() {
  core_->scripts.flush();
}

Snapshot RedisServer::snapshot() const {
  return core_->data;
}

void RedisServer::restart(Snapshot keys) {
  for (const uint64_t session : clients()) end(*core_, session);
  core_->scripts.flush();
  core_->data = std::move(keys);
  start(*core_);
}

void RedisServer::set_trouble(Trouble trouble) {
  core_->trouble = trouble;
}

Trouble RedisServer::trouble() const {
  return core_->trouble;
}

void RedisServer::set_password(std::optional<std::string> password) {
  core_->password = std::move(password);
}

void RedisServer::set_maxmemory_policy(std::string_view policy) {
  core_->maxmemory_policy = policy;
}

std::string RedisServer::run(std::span<const std::string_view> words, int64_t now_us) {
  RedisSession session;
  session.logged_in = session.inside = true;
  std::string output;
  run_command(*core_, session, words, now_us, output);
  forget_channels(*core_, session);
  return output;
}

const Keys& RedisServer::keys(int database) const {
  return core_->data.databases.at(static_cast<size_t>(database));
}

const std::string& RedisServer::run_id() const {
  return core_->run_id;
}

std::vector<uint64_t> RedisServer::clients() const {
  std::vector<uint64_t> numbers;
  for (const auto& [number, session] : core_->sessions) numbers.push_back(number);
  return numbers;
}

size_t RedisServer::listeners(std::string_view channel) const {
  const auto found = core_->channels.find(channel);
  return found == core_->channels.end() ? 0 : found->second.size();
}

uint64_t RedisServer::commands_run() const {
  return core_->commands_run;
}

uint64_t RedisServer::scripts_run() const {
  return core_->scripts_run;
}

uint64_t RedisServer::script_commands_run() const {
  return core_->script_commands_run;
}

}  // namespace toll::sim
