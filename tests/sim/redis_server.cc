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
  wait_no_more(core, number);
  core.sessions.erase(found);
}

void end(RedisCore& core, uint64_t number) {
  forget(core, number);
  core.sink.end_client(number);
}

void serve(RedisCore& core, RedisSession& session, int64_t now_us) {
  while (!session.ending && !session.waiting) {
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
        serve_waiting(core, now_us);
        break;
    }
  }
}

void take(RedisCore& core, RedisSession& from, std::string_view bytes, int64_t now_us) {
  core.output.clear();
  from.reader.feed(bytes);
  serve(core, from, now_us);
  from.reader.keep();
  if (!core.output.empty()) core.sink.to_client(from.number, core.output);
  if (from.ending) end(core, from.number);
}

// Those who waited say what else they have to say.
void go_on(RedisCore& core, int64_t now_us) {
  while (!core.served.empty()) {
    const uint64_t number = core.served.front();
    core.served.erase(core.served.begin());
    const auto found = core.sessions.find(number);
    if (found != core.sessions.end()) take(core, found->second, {}, now_us);
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
  take(*core_, found->second, bytes, now_us);
  go_on(*core_, now_us);
}

void RedisServer::pass(int64_t now_us) {
  end_waits(*core_, now_us);
  go_on(*core_, now_us);
}

int64_t RedisServer::next_due_us() const {
  return next_wait_ends_us(*core_);
}

void RedisServer::watch_lists(ListWatcher* watcher) {
  core_->list_watcher = watcher;
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
  const bool demoted = is_replica(trouble) && !is_replica(core_->trouble);
  core_->trouble = trouble;
  // Who waits would wait for what its master brings.
  while (demoted && !core_->waiting.empty()) {
    const uint64_t number = core_->waiting.front();
    core_->sink.to_client(
        number,
        "-UNBLOCKED force unblock from blocking operation, instance state changed "
        "(master -> replica?)\r\n");
    end(*core_, number);
  }
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
  serve_waiting(*core_, now_us);
  go_on(*core_, now_us);
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
