// One connection to one Redis: made, greeted, kept alive, lost and made again; and on it calls in
// their order.
//
// A call is a command and what becomes of it: its reply, or the loss of the connection before one
// came. Calls leave in the order in which they were begun and their replies come in that order.
// There is no queue for times without a connection: begin() is for a link that is ready().
//
//   away ──dial──▶ connecting ──▶ greeting ──▶ ready ──▶ away
//     ▲ decorrelated jitter          AUTH, CLIENT SETNAME, SELECT, INFO, SCRIPT LOAD ...
//     └──────────────┴──────────────────┴───────────┘ refused, broken, timed out, cut
//
// A call that takes longer than call_timeout costs the connection, for what is behind it would wait
// as long. Nobody is told of anything from inside a call of his own: all of it comes from the loop
// and from tick(), so a handler may begin calls, cut or stop the link.
//
// Belongs to a worker and its loop; time is handed in as monotonic nanoseconds. Each connection has
// a number, so that what comes late from an old one touches nothing. Knows nothing of limits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/loop.h"
#include "net/output_buffer.h"
#include "net/redis_address.h"
#include "net/redis_reply.h"

namespace toll::net {

// Why a call got no reply.
enum class CallLoss : uint8_t {
  kTimedOut,  // it took longer than call_timeout and was the oldest; the link was cut
  kBroken,    // the connection ended, or said what is no RESP; or another call timed out before it
  kCut        // by cut() or stop()
};

inline constexpr size_t kCallLosses = 3;
constexpr std::string_view to_string(CallLoss loss) {
  return loss == CallLoss::kTimedOut ? "timeout" : loss == CallLoss::kBroken ? "broken" : "cut";
}

// A call under way. Owned by the caller; must stay where it is until one of the two was called,
// once. Either may begin new calls.
class RedisCall {
 public:
  virtual void on_reply(const RedisReply& reply) = 0;  // an error reply too
  // Whether the command took effect is not known.
  virtual void on_lost(CallLoss loss) = 0;
  // Of a call of several commands: what Redis has against one before the last. The last one's reply
  // still comes.
  virtual void on_error(std::string_view) {}

 protected:
  ~RedisCall() = default;

 private:
  friend class RedisLink;
  RedisCall* next_ = nullptr;
  uint32_t replies_ = 0;  // still to come
  int64_t begun_ns_ = 0;
  bool subscribes_ = false;
};

// A script that is loaded on every connection before it is ready. The strings outlive the link.
struct RedisScript {
  std::string_view name;
  std::string_view body;  // with its #!lua line, for Redis 7 and later
  std::string_view sha1;
  std::string_view body_6;  // without, for older ones
  std::string_view sha1_6;
};

struct RedisLinkSettings {
  RedisAddress address;
  std::string username;
  std::string password;  // "" is none
  uint32_t database = 0;
  std::string client_name;
  std::span<const RedisScript> scripts;
  int64_t dial_timeout_ns = 1'000'000'000;
  int64_t call_timeout_ns = 250'000'000;
  int64_t health_interval_ns = 1'000'000'000;  // a PING when nothing else was sent for so long
  int64_t redial_min_ns = 50'000'000;          // the jitter's bounds
  int64_t redial_max_ns = 2'000'000'000;
};

// What a link tells its owner. Called from the loop and from tick(), never from within begin(),
// end(), flush(), cut() or stop(). After stop() calls are still told of their loss, and nothing
// else comes.
class RedisLinkHandler {
 public:
  virtual void on_ready() = 0;
  // The connection is gone; calls on it have been told. `reason` is a sentence for the log, free of
  // secrets: what failed, where, what to do. `refused` says that Redis itself turned us away for
  // our credentials (NOAUTH, WRONGPASS, NOPERM), which trying again soon will not mend.
  virtual void on_away(std::string_view reason, bool refused) = 0;
  // A message of a subscription; and the confirmations of a SUBSCRIBE of several channels after the
  // first, which is the reply to the call. Only on a connection that a SUBSCRIBE was sent on.
  virtual void on_push(const RedisReply&) {}

 protected:
  ~RedisLinkHandler() = default;
};

// What Redis said of itself when it greeted us.
struct RedisServer {
  uint32_t major = 0;  // version; 0: not known
  uint32_t minor = 0;
  std::string maxmemory_policy;  // "" if it may not be read
  std::string run_id;
  std::string role;  // "master", "slave", or ""
};

class RedisLink {
 public:
  // Does nothing until start(). `seed` is for the jitter.
  RedisLink(Loop& loop, ChunkPool& pool, RedisLinkSettings settings, RedisLinkHandler& handler,
            uint64_t seed);
  ~RedisLink();  // REQUIRES: stopped()
  RedisLink(const RedisLink&) = delete;
  RedisLink& operator=(const RedisLink&) = delete;

  // Once. The first tick() dials.
  void start(int64_t now_ns);
  // Cuts the connection and dials no more, ever. stopped() is true once nothing is in flight and
  // all calls were told, after a few turns of the loop; before start() too.
  void stop();
  bool stopped() const;

  bool ready() const;
  uint64_t generation() const;  // the number of the connection: how many were made
  // Of the last connection that was greeted.
  const RedisServer& server() const;
  // The digest to call the script at `index` of the settings by, on this connection.
  std::string_view sha1(size_t index) const;

  // A command of `words` words: begin(), then word() for each, then end(). Written straight into
  // the output; leaves with flush(). REQUIRES: ready().
  void begin(RedisCall& call, size_t words);
  void word(std::string_view bytes);
  void word(int64_t number);
  void end(int64_t now_ns);
  // In place of end(): another command of the same call, whose reply is the last one's.
  void also(size_t words);
  void flush();

  size_t calls_out() const;  // the owner's calls that await their reply
  size_t unsent_bytes() const;

  // New credentials: taken with the next connection, which is made soon where the old ones were
  // refused.
  void set_password(std::string password);
  // Another address (a name that resolves to something else by now): likewise.
  void set_address(RedisAddress address);

  // Loses the connection: what the owner learned says that it is of no use. Redials.
  void cut(std::string_view reason);
  // Loads the scripts again, before whatever is begun after: for NOSCRIPT. Nothing is done while
  // they are being loaded already. Leaves with flush(). Where we may not load them (NOPERM) nothing
  // comes of it, and the next call hears NOSCRIPT again. REQUIRES: ready().
  void load_scripts(int64_t now_ns);

  // Looks after time-outs, the health check and redialling. Call it when next_tick_ns() has come;
  // calling it more often does no harm.
  void tick(int64_t now_ns);
  int64_t next_tick_ns() const;  // INT64_MAX: never. May change with every call and turn.

 private:
  class Impl;  // net/redis_link_impl.h
  std::unique_ptr<Impl> impl_;
};

}  // namespace toll::net
