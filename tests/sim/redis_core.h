// What is inside of a RedisServer: its state, and how a command is run. For redis_server.cc and the
// commands that reach beyond the keys.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/redis_commands.h"
#include "tests/sim/redis_request_reader.h"
#include "tests/sim/redis_scripts.h"
#include "tests/sim/redis_server.h"
#include "tests/sim/redis_trouble.h"

namespace toll::sim {

inline constexpr std::string_view kRedisVersion = "7.0.15";

// What a client has said since MULTI.
struct Transaction {
  std::vector<std::vector<std::string>> calls;
  uint32_t flags = 0;    // of all of them
  bool spoiled = false;  // one was refused
};

// A call that waits.
struct Waiting {
  std::vector<std::string> words;
  int64_t until_us = 0;
};

struct RedisSession {
  uint64_t number = 0;
  RequestReader reader;
  bool logged_in = false;
  bool ending = false;  // closed as soon as its replies are handed over
  bool inside = false;  // nobody's: RedisServer::run()
  int database = 0;
  std::string name;
  std::set<std::string, std::less<>> channels;
  std::optional<Transaction> transaction;
  bool executing = false;          // its transaction
  std::optional<Waiting> waiting;  // nothing else of it is read meanwhile
};

struct RedisCore {
  RedisCore(RedisSink& to, std::string_view name) : sink(to), server_name(name) {}

  RedisSink& sink;
  std::string server_name;
  std::string run_id;
  uint64_t starts = 0;
  Snapshot data;
  std::map<uint64_t, RedisSession> sessions;
  std::map<std::string, std::set<uint64_t>, std::less<>> channels;  // who listens
  std::deque<uint64_t> waiting;  // sessions, those that wait longest first
  std::vector<uint64_t> served;  // that waited, and may go on
  ListWatcher* list_watcher = nullptr;
  RedisScripts scripts;
  Trouble trouble = Trouble::kNone;
  std::optional<std::string> password;
  std::string maxmemory_policy = "noeviction";
  std::string output;  // replies to what a session is being served
  uint64_t commands_run = 0;
  uint64_t scripts_run = 0;
  uint64_t script_commands_run = 0;
};

// Runs one command of a session, or refuses it.
void run_command(RedisCore& core, RedisSession& session, std::span<const std::string_view> words,
                 int64_t now_us, std::string& output);

// The number of keys in a call of EVAL or EVALSHA; or an error reply.
std::optional<size_t> count_keys(Call& call);
// Runs a script for such a call.
void run_script(Call& call, const RedisScript& script, size_t keys);

// Runs a command of a transaction.
void run_queued(Call& exec, const std::vector<std::string>& words);

// The session waits for nothing from now on; nothing is replied.
void wait_no_more(RedisCore& core, uint64_t number);
// Gives those who wait what there is for them now; and tells those whose time is up.
void serve_waiting(RedisCore& core, int64_t now_us);
void end_waits(RedisCore& core, int64_t now_us);
int64_t next_wait_ends_us(const RedisCore& core);

// The session hears of nothing from now on; nothing is replied.
void forget_channels(RedisCore& core, RedisSession& session);

}  // namespace toll::sim
