// A simulated client of one daemon: asks in one of the two framings, in pieces, ahead of the
// replies; reads slowly, stops reading, dies, and comes back. What it is told it tells the oracle.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/oracle.h"

namespace toll::sim {

struct ClientSettings {
  uint64_t number = 0;
  size_t host = 0;
  int place = 0;
  size_t depth = 1;            // requests ahead of their replies, at most
  int64_t pause_least_ns = 0;  // between bursts
  int64_t pause_most_ns = 0;
  CostLoad* costs = nullptr;  // it asks about costs alone
  LogLoad* logs = nullptr;    // it asks about log records alone
  bool produces = false;      // it pushes them
};

class Client final : private SocketOwner {
 public:
  Client(Scheduler& scheduler, Network& network, History& history, Oracle& oracle,
         Workload& workload, RedisNode& redis, std::vector<std::unique_ptr<DaemonHost>>& hosts,
         Random random, const ClientSettings& settings);

  void start();
  // From now on asks only now and then.
  void calm() { calm_ = true; }
  // Sends no more of its own; what is under way goes on.
  void rest() { resting_ = true; }
  bool waiting() const { return !expected_.empty(); }
  std::string waiting_for() const;

  // One request, when the client is at rest. `told` gets the reply; nothing if the daemon went.
  void ask(const Wish& wish, std::function<void(const Told&)> told);

  // What can befall it.
  void die();
  void stop_reading(int64_t for_ns);

 private:
  struct Expected {
    Request request;
    std::function<void(const Told&)> told;
  };

  void on_readable(int socket) override;
  void on_writable(int socket) override;
  void on_connected(int socket, IoStatus status) override;
  void on_accepted(int, int) override {}

  void connect();
  void act();
  Wish draw_cost();
  Wish draw_log();
  void misbehave();
  void keep_of_cost(const Request& request, const Told& reply);
  void put(const Wish& wish, std::function<void(const Told&)> told);
  int64_t due_ns(const Wish& wish) const;
  void send();
  void lost();
  void hand_over_unread();
  std::optional<Told> take_reply(Ask ask);
  int64_t idle_ns() const;

  Scheduler& scheduler_;
  Network& network_;
  History& history_;
  Oracle& oracle_;
  Workload& workload_;
  RedisNode& redis_;
  std::vector<std::unique_ptr<DaemonHost>>& hosts_;
  Random random_;
  const ClientSettings settings_;
  int socket_ = -1;
  bool connected_ = false;
  bool resp_ = false;
  bool calm_ = false;
  bool resting_ = false;
  uint64_t requests_ = 0;
  std::string output_;
  std::string input_;
  std::deque<Expected> expected_;
  int64_t idle_since_ns_ = -1;
  int64_t idle_ns_ = 0;
  struct Ticket {
    Part part;
    uint64_t number;
  };
  std::vector<Ticket> tickets_;
  std::vector<CostWish> holds_;
  std::vector<Wish> again_;  // charges that it does not know to have been made
  uint64_t keys_ = 0;
  uint64_t connections_ = 0;
  uint64_t pushed_ = 0;  // records
};

}  // namespace toll::sim
