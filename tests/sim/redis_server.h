// A Redis 7.0 within the process, for simulation: RESP2 bytes in, reply bytes out.
//
// It has no sockets, threads, clock or randomness: clients are numbers, time is handed in, and the
// same calls give the same bytes. It runs the real Lua scripts (redis_scripts.h). What it answers
// is compared with a real redis-server by redis_differential_test.cc, byte for byte.
//
// It has what Tollkeeper uses and what is needed to look at it; the rest is an unknown command. Not
// there: WATCH, RESP3, users other than "default", quotes in inline commands.
//
// One thread. The sink must not call back into the server.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/redis_keys.h"
#include "tests/sim/redis_trouble.h"

namespace toll::sim {

// Where the server's bytes go. `session` is the number with which the client connected.
class RedisSink {
 public:
  virtual ~RedisSink() = default;
  // Replies and messages, in their order. Called once for all replies to what was received at once.
  virtual void to_client(uint64_t session, std::string_view bytes) = 0;
  // The server closes the connection, after all that was handed over before. It has forgotten the
  // session: disconnected() need not be called, and does nothing.
  virtual void end_client(uint64_t session) = 0;
};

// Told of each element that comes to a list or is cut off, for who wants to know what became of it.
enum class ListEvent : uint8_t { kPushedBack, kPushedFront, kCutOff };
class ListWatcher {
 public:
  virtual void on_list(std::string_view key, std::string_view element, ListEvent event) = 0;

 protected:
  ~ListWatcher() = default;
};

inline constexpr int kDatabases = 16;

// All keys of all databases at a time.
struct Snapshot {
  std::array<Keys, kDatabases> databases;
};

struct RedisCore;

class RedisServer {
 public:
  // `name` tells it from others: it goes into the run_id, which is another at each start.
  explicit RedisServer(RedisSink& sink, std::string_view name = "redis");
  ~RedisServer();
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  // A client came, sent bytes (cut anywhere), went. REQUIRES: no client of that number is there
  // when it comes. What comes from one that is not there is dropped.
  void connected(uint64_t session);
  void received(uint64_t session, std::string_view bytes, int64_t now_us);
  void disconnected(uint64_t session);

  // Ends what waited until now. When that is to be called next, INT64_MAX: nothing waits.
  void pass(int64_t now_us);
  int64_t next_due_us() const;

  // What can befall it.
  void flush_scripts();
  Snapshot snapshot() const;
  // As if the process had been killed and started on these keys: all clients are ended, in the
  // order of their numbers; scripts and subscriptions are forgotten. Settings and trouble stay.
  void restart(Snapshot keys);
  void kill_client(uint64_t session);  // the server ends it, as CLIENT KILL does
  void set_trouble(Trouble trouble);
  Trouble trouble() const;
  // Clients that have logged in stay so.
  void set_password(std::optional<std::string> password);
  void set_maxmemory_policy(std::string_view policy);

  // Runs one command beside all clients, free of any trouble, on database 0. Returns the reply.
  std::string run(std::span<const std::string_view> words, int64_t now_us);
  std::string run(std::initializer_list<std::string_view> words, int64_t now_us) {
    return run(std::span(words.begin(), words.size()), now_us);
  }

  // Of all databases. Null: none. It outlives the server, or another is set.
  void watch_lists(ListWatcher* watcher);
  const Keys& keys(int database = 0) const;
  const std::string& run_id() const;
  std::vector<uint64_t> clients() const;  // in order
  size_t listeners(std::string_view channel) const;
  // Since it was made; what run() ran is not counted.
  uint64_t commands_run() const;         // of clients
  uint64_t scripts_run() const;          // EVALSHA and EVAL among them
  uint64_t script_commands_run() const;  // by scripts

 private:
  std::unique_ptr<RedisCore> core_;
};

}  // namespace toll::sim
