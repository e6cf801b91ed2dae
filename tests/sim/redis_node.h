// The simulated host that Redis runs on: the server (tests/sim/redis_server.h), its clock, its one
// core, and what can befall it.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>

#include "tests/sim/history.h"
#include "tests/sim/network.h"
#include "tests/sim/random.h"
#include "tests/sim/redis_server.h"
#include "tests/sim/scheduler.h"

namespace toll::sim {

class RedisNode final : private SocketOwner, private RedisSink {
 public:
  RedisNode(Scheduler& scheduler, Network& network, History& history, Random random, int place,
            std::string address, int64_t epoch_us);

  // What its keys are after a restart.
  enum class Memory : uint8_t { kKept, kOld, kNone };

  // Gone for so long, and back with that memory.
  void restart(int64_t for_ns, Memory memory) { come_back(for_ns, memory, address_); }
  // As when a replica takes over: its memory, old or not, is elsewhere, and here nobody listens.
  // False: it is gone already.
  bool fail_over(int64_t for_ns, Memory memory, const std::string& address) {
    return come_back(for_ns, memory, address);
  }
  // Answers nothing for so long.
  void stall(int64_t for_ns);
  // In that trouble for so long.
  void trouble(Trouble trouble, int64_t for_ns);
  void flush_scripts() {
    flushed_ns_ = scheduler_.now_ns();
    server_.flush_scripts();
  }
  void step_clock(int64_t us) {
    clock_us_ += us;
    break_off();
  }

  int64_t now_us() const { return clock_us_ + scheduler_.now_ns() / kNsPerUs; }
  // How often acknowledged writes were forgotten, or its clock set: what was counted before says
  // nothing about what comes after.
  uint64_t breaks() const { return breaks_; }
  int64_t broke_ns() const { return broke_ns_; }  // the last time
  // The last time that it lost what it had acknowledged.
  int64_t forgot_ns() const { return forgot_ns_; }
  int64_t flushed_ns() const { return flushed_ns_; }  // the last time that its scripts were
  // The last time that it did what a connection had asked that its client had given up.
  int64_t heard_late_ns() const { return heard_late_ns_; }
  RedisServer& server() { return server_; }
  int place() const { return place_; }
  const std::string& address() const { return address_; }

 private:
  struct Session {
    std::string output;
    bool ending = false;
    bool waiting = false;  // in line to be served
  };

  void on_readable(int socket) override;
  void on_writable(int socket) override;
  void on_connected(int, IoStatus) override {}
  void on_accepted(int listener, int socket) override;
  void to_client(uint64_t session, std::string_view bytes) override;
  void end_client(uint64_t session) override;

  bool come_back(int64_t for_ns, Memory memory, const std::string& address);
  void serve_soon();
  void serve();
  void pass_in_time();
  void send(int socket);
  void drop(int socket);
  void remember();
  void break_off() {
    ++breaks_;
    broke_ns_ = scheduler_.now_ns();
  }

  Scheduler& scheduler_;
  Network& network_;
  History& history_;
  Random random_;
  const int place_;
  std::string address_;
  int64_t clock_us_;
  RedisServer server_{*this};
  int listener_ = -1;  // -1: down
  std::map<int, Session> sessions_;
  std::deque<int> in_line_;
  bool serving_ = false;
  bool passing_ = false;
  int64_t free_at_ns_ = 0;
  uint64_t troubles_ = 0;
  uint64_t breaks_ = 0;
  int64_t broke_ns_ = -3600 * kNsPerS;
  int64_t forgot_ns_ = -3600 * kNsPerS;
  int64_t flushed_ns_ = -3600 * kNsPerS;
  int64_t heard_late_ns_ = -3600 * kNsPerS;
  std::deque<Snapshot> snapshots_;  // one a second, the oldest first
};

}  // namespace toll::sim
