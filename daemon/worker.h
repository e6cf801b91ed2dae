// A worker: one thread, one event loop, one shard, and the sessions it was given.
//
// A turn of a worker: take the mail from the other workers, decide what has collected, write the
// replies, hand the mail over, then sleep in the loop until something comes; the loop's handlers
// parse requests and collect questions for the next turn. Nothing else happens anywhere: what is
// collected in a turn is decided as one batch, sent as one write per client, and wakes another
// worker at most once.
//
// Everything here belongs to the worker's thread, but for post(), which any thread may call.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daemon/cost_letters.h"
#include "daemon/framing.h"
#include "daemon/input_buffer.h"
#include "daemon/letter.h"
#include "daemon/log_letters.h"
#include "daemon/process.h"
#include "daemon/watchers.h"
#include "engine/shard.h"
#include "net/loop.h"
#include "net/output_buffer.h"
#include "net/redis_address.h"

namespace toll::daemon {

class Acceptor;
class Costs;
class Fleet;
class JsonChecker;
class LogHome;
class Logs;
class Session;
class Store;

class Worker {
 public:
  Worker(Process& process, uint32_t index);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // On the worker's thread, in this order. `table` is what the shard decides by at first.
  std::expected<void, std::string> open(std::shared_ptr<const engine::PolicyTable> table);
  void listen(int listener);  // this worker accepts for all
  void run();                 // until the end, which stop() begins
  // What run() does, a step at a time, for who has many workers on one thread: start(), and until
  // ended() a turn() and, if it returned how long it may last (negative: no limit), a wait(). Who
  // does not let it wait for so long calls wait() when its loop has something for it.
  void start();
  std::optional<int64_t> turn();
  void wait(int64_t timeout_ns);
  bool ended() const { return ended_; }

  // Runs `task` on the worker's thread, soon. Any thread; allocates and locks, so not for requests.
  void post(std::function<void(Worker&)> task);

  // Tasks for post():
  void adopt(std::shared_ptr<const engine::PolicyTable> table);
  void stop_accepting();
  void drain();           // stop accepting; close each session once what it sent has been answered
  void abort_sessions();  // close them as they are
  void stop() { running_ = false; }  // ends, soon, whoever still waits
  void set_redis(const net::RedisAddress& address, const std::string& password);
  // `hosts` are alive: this one's share of each limit is that part of it.
  void share_with(uint32_t hosts);
  // Runs `task` on each worker's thread, soon. As post().
  void for_all_workers(const std::function<void(Worker&)>& task);

  // For sessions.
  Process& process() { return process_; }
  uint32_t index() const { return index_; }
  net::Loop& loop() { return *loop_; }
  net::ChunkPool& chunks() { return chunks_; }
  InputPool& inputs() { return inputs_; }
  WorkerCounters& counters() { return counters_; }
  const engine::PolicyTable& policies() const { return *policies_; }
  Words& words() { return words_; }  // scratch for one request
  bool draining() const { return draining_; }

  // Is there room for the longest request there can be? If not, the session waits with reading.
  bool has_room() const;
  // REQUIRES: has_room() was true before this request.
  Ask* new_ask(Session& session, Framing framing, Form form);
  void release(Ask* ask);
  // Are the policy's keys in the store? `policy` is null for CL.THROTTLE, whose are.
  bool by_store(const engine::Policy* policy) const;
  // Does the store decide these two keys' requests in the order in which it is asked?
  bool same_lane(const engine::KeyHash& a, const engine::KeyHash& b) const;
  // Makes the ask one for the store: keeps the id, and how long an answer may take.
  void send_by_store(Ask& ask, std::string_view id, int64_t deadline_us);
  // Keeps the id with the ask. REQUIRES: it has none yet.
  void keep_id(Ask& ask, std::string_view id);
  Together* new_together(Ask* ask);
  bool has_together() const { return togethers_.room() > 0; }
  // REQUIRES: has_cost().
  CostRequest* new_cost(Ask* ask);
  bool has_cost() const { return costs_pool_.room() > 0; }
  // REQUIRES: has_log_request().
  LogRequest* new_log_request(Ask* ask);
  bool has_log_request() const { return log_requests_.room() > 0; }
  // A number for a ticket that no other has, on this host or another.
  uint64_t new_ticket();

  // Sends a question to the shard that owns its key. Its answer comes to its session.
  void ask(Ask* ask);
  void ask(Together* together);
  void ask(CostRequest* request);
  void ask(LogRequest* request);
  // The same for policies whose keys are in the store, by way of the owner of the first key.
  void ask_store(Together* together, int64_t deadline_us);
  // Decides what has collected for this worker's own shard.
  void decide_batch();

  // For the store.
  engine::TimeUs now();  // read once a turn
  int64_t turn_ns();     // of the monotonic clock; again before replies
  // How long ago the question was read; right up to an hour.
  uint32_t age_us(const Ask& ask) { return turn_us() - ask.received_us; }
  Store* store() { return store_.get(); }          // null: without Redis
  Costs* costs() { return costs_.get(); }          // null: they are switched off
  Logs* logs() { return logs_.get(); }             // likewise
  LogHome* log_home() { return log_home_.get(); }  // worker 0's, likewise
  JsonChecker& json() { return *json_; }           // REQUIRES: logs()
  Happenings& happenings() { return happenings_; }
  Watchers& watchers() { return watchers_; }
  void answer(Ask& ask);
  void answer(Together& together);
  void answer(CostRequest& request);
  void answer(LogRequest& request);
  void send_to_journal(Letter& letter);
  void send_to_spill(Letter& letter);
  void send_to_home(LogBatch& batch);
  void decide_here(Ask& ask);  // in the store's place; its answer goes to who asked
  void decide_for_store(std::span<engine::Operation> notes);

  // The session's settle() is called before the turn ends.
  void touch(Session& session);
  // ... and again in every turn until there is room.
  void wait_for_room(Session& session) { waiting_for_room_.push_back(&session); }

  void add_session(int fd);
  // The acceptor's: gives a new connection to `target`. False: no room, it is still the caller's.
  bool hand_over(int fd, uint32_t target);

 private:
  void begin_to_part();
  bool parted();
  void release(LogRequest& request);
  void collect(Ask& ask, uint32_t from);
  std::optional<int64_t> prepare_to_sleep(int64_t now_ns);
  void run_loop(int64_t timeout_ns);
  void collect_mail();
  void run_tasks();
  void serve(uint32_t from, Letter* letter);
  void answered(Letter* letter);
  void log_answered(LogRequest& request);
  void decide_part(Part& part);
  void send_part(Part& part);
  void part_answered(Part& part);
  void whole_answered(Together& together);
  void decide_in_parts(Together& together, LetterKind kind);
  void finish(Together& together);
  void settle_sessions();
  void tick();
  void publish_counters();
  uint32_t turn_us() { return static_cast<uint32_t>(turn_ns() / 1'000); }
  void count_turn(int64_t end_ns);
  int64_t sleep_ns(int64_t now_ns) const;
  void remove(Session& session);

  Process& process_;
  const uint32_t index_;
  WorkerCounters& counters_;
  Happenings& happenings_;
  std::unique_ptr<net::Loop> loop_;
  std::unique_ptr<engine::Shard> shard_;
  std::shared_ptr<const engine::PolicyTable> policies_;
  uint32_t hosts_ = 1;
  net::ChunkPool chunks_;
  InputPool inputs_;
  Words words_;
  std::unique_ptr<Acceptor> acceptor_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Costs> costs_;
  std::unique_ptr<Logs> logs_;
  std::unique_ptr<LogHome> log_home_;  // on worker 0
  std::unique_ptr<JsonChecker> json_;
  std::unique_ptr<Fleet> fleet_;  // on worker 0
  Watchers watchers_;

  std::vector<std::unique_ptr<Session>> sessions_;
  std::vector<Session*> touched_;
  std::vector<Session*> settling_;  // touched_ of the turn before, while they are settled
  std::vector<Session*> waiting_for_room_;

  LetterPool<Ask> asks_{kAsksPerWorkerMax};
  LetterPool<LongId> long_ids_{kAsksPerWorkerMax};
  LetterPool<Connection> connections_{kAsksPerRouteMax};
  LetterPool<Together> togethers_{kTogethersPerWorkerMax};
  LetterPool<CostRequest> costs_pool_{kCostsPerWorkerMax};
  LetterPool<LogRequest> log_requests_{kLogRequestsPerWorkerMax};

  // Questions for this worker's shard: its own sessions' and other workers'.
  struct Collected {
    Ask* ask;
    uint32_t from;
  };
  std::array<Collected, kBatchMax> batch_;
  std::array<engine::Operation*, kBatchMax> operations_;
  size_t batch_size_ = 0;

  engine::TimeUs now_us_ = 0;  // 0: not yet read in this turn
  int64_t turn_ns_ = 0;        // likewise
  int64_t turn_began_ns_ = 0;
  int64_t next_tick_ns_ = 0;
  int64_t ring_by_ns_ = 0;  // when those who sleep over our mail must be woken at the latest
  uint64_t requests_at_tick_ = 0;
  uint32_t ticks_ = 0;
  uint64_t ticket_salt_ = 0;
  uint64_t tickets_ = 0;
  int64_t part_by_ns_ = 0;  // until then saying goodbye may take; 0: not yet begun
  bool running_ = true;
  bool ended_ = false;
  bool draining_ = false;

  std::mutex tasks_mutex_;  // tasks_ only: reloads and the end, never a request
  std::vector<std::function<void(Worker&)>> tasks_;
  std::atomic<bool> tasks_pending_{false};
};

}  // namespace toll::daemon
