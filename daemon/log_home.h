// Where log records are taken: worker 0's, for the consumers of all workers.
//
// With Redis a POP moves records to a list of this process beside the queue, and they leave it once
// the client has them: what a broken connection or a dead daemon left there goes back to the front
// of the queue, by this process or another one. So a record that was acknowledged is delivered at
// least once. Who waits is served by one connection that blocks for all of them.
//
//   queue ──LMOVE──▶ taken:<process>:<n> ──▶ reply ──▶ client has it ──▶ removed
//     ▲                    │ lost, undelivered, the process is gone
//     └────────────────────┘
//
// Without Redis the queue is in memory here, and goes to the disk when the daemon stops.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "daemon/log_drain.h"
#include "daemon/log_letters.h"
#include "daemon/log_pusher.h"
#include "net/redis_link.h"

namespace toll::daemon {

class Worker;

class LogHome final : public net::RedisLinkHandler {
 public:
  // All outlive it. `link`: worker 0's first; null: without Redis.
  LogHome(Worker& worker, LogSpill& spill, net::RedisLink* link);
  ~LogHome();

  // Answers the request, now or later, through the worker. `from` is set.
  void ask(LogRequest& request);
  // Without Redis: takes the records of the batch, which are in the queue from then on.
  void take(LogBatch& batch);
  void answered(JournalRead& read) { drain_->answered(read); }
  // Was that letter ours?
  bool answered(SpillCommit& commit);

  void pump();
  int64_t next_due_ns() const;
  void link_ready();
  void link_away();
  void set_address(const net::RedisAddress& address);
  void set_password(const std::string& password);

  void stop();
  // Nothing of ours is on a link or with the spill, and what was in memory is on the disk.
  bool idle() const;

 private:
  // A list of records that were taken and not delivered yet. Where a call that names it was lost,
  // Redis may do it yet, after all that we ask then: so it is another's name from then on, and what
  // such a call leaves under the old one is found as an orphan.
  enum class TakeState : uint8_t {
    kFree,
    kTaking,    // a call that moves records to it is under way
    kHeld,      // `owed` replies have not been delivered yet
    kUnsure,    // records may be in it that nobody was given
    kReturning  // ... they are being given back, or it is being removed
  };
  struct Take final : net::RedisCall {
    void on_reply(const net::RedisReply& reply) override { home->settled(*this, reply); }
    void on_lost(net::CallLoss) override {
      state = after_loss;
      doubtful = true;
    }
    LogHome* home = nullptr;
    std::string key;
    TakeState state = TakeState::kFree;
    TakeState after_loss = TakeState::kUnsure;
    uint32_t owed = 0;
    bool delivered = false;  // all that was in it: it may be removed
    bool doubtful = false;   // a call that names it was lost, and may yet be done
  };
  static constexpr size_t kTakes = 16;

  template <void (LogHome::*kReply)(const net::RedisReply&), void (LogHome::*kLost)()>
  struct Call final : net::RedisCall {
    explicit Call(LogHome& owner) : home(owner) {}
    void on_reply(const net::RedisReply& reply) override { (home.*kReply)(reply); }
    void on_lost(net::CallLoss) override { (home.*kLost)(); }
    LogHome& home;
  };

  void on_ready() override;
  void on_away(std::string_view reason, bool refused) override;

  // Any (daemon/log_home.cc).
  void finish(LogRequest& request, LogResult result = LogResult::kDone);
  void finish_all(LogRequests& requests, LogResult result);
  void end_waits();
  LogRequest* next_waiter();
  void let_wait(LogRequest& request);
  void settle(LogRequest& request);

  // Without Redis.
  void answer_here(LogRequest& request);
  void take_here(LogRequest& request);
  void copy_oldest(LogRequest& request) const;
  void save();

  // With Redis (daemon/log_home_store.cc).
  Take* free_take();
  void name(Take& take);
  void pop();
  void answer_begun();
  void popped(const net::RedisReply& reply);
  void pop_lost();
  void deal(std::span<const net::RedisReply> records);
  void question();
  void questioned(const net::RedisReply& reply);
  void question_lost();
  void block();
  void blocked(const net::RedisReply& reply);
  void block_lost();
  void settle_takes();
  void give_back(Take& take);
  void remove(Take& take);
  void settled(Take& take, const net::RedisReply& reply);
  void give_back_next();
  void gave_back(const net::RedisReply& reply);
  void give_back_lost();
  void say(std::string_view problem);

  // Lists that nobody names any more (daemon/log_home_orphans.cc).
  void send_return(net::RedisCall& call, std::string_view list, bool forget);
  bool may_forget(const std::string& list) const;
  void look_for_orphans();
  void found_takers(const net::RedisReply& reply);
  void found_alive(const net::RedisReply& reply);
  void orphan_returned(const net::RedisReply& reply);
  void orphans_lost();

  Worker& worker_;
  LogSpill& spill_;
  net::RedisLink* const link_;
  std::unique_ptr<LogDrain> drain_;  // null: without Redis
  bool stopping_ = false;
  int64_t said_ns_ = 0;
  int64_t retry_ns_ = 0;  // Redis is asked nothing before

  LogRequests waiters_;    // for the first record
  LogRequests pops_;       // to be sent
  LogRequests popping_;    // in the call under way
  LogRequests questions_;  // PEEK, SIZE, CLEAR, STATS: likewise
  LogRequest* questioning_ = nullptr;
  LogRequests returned_;  // records to be given back
  LogRequest* returning_ = nullptr;
  int64_t first_wait_ns_ = INT64_MAX;  // a waiter's deadline, or before the first

  // With Redis.
  std::unique_ptr<LogKeys> keys_;
  std::array<Take, kTakes> takes_;
  uint64_t named_ = 0;                         // lists so far
  Take* pop_take_ = nullptr;                   // of the call under way
  Take* block_take_ = nullptr;                 // likewise
  size_t pop_asked_ = 0;                       // records, in the call under way
  uint64_t length_ = 0;                        // of the queue, as last seen
  size_t record_bytes_ = 0;                    // of one record, as last seen on average
  std::unique_ptr<net::RedisLink> wait_link_;  // made for the first who waits
  bool blocking_ = false;
  int64_t orphans_ns_ = 0;  // they are looked for then
  bool looking_ = false;
  std::vector<std::string> suspects_;       // lists of processes that may be gone
  std::vector<std::string> orphans_;        // ... that are, and lists that we named no more
  std::map<std::string, int64_t> retired_;  // those, since when
  Call<&LogHome::popped, &LogHome::pop_lost> pop_call_{*this};
  Call<&LogHome::questioned, &LogHome::question_lost> question_call_{*this};
  Call<&LogHome::blocked, &LogHome::block_lost> block_call_{*this};
  Call<&LogHome::gave_back, &LogHome::give_back_lost> give_back_call_{*this};
  Call<&LogHome::found_takers, &LogHome::orphans_lost> takers_call_{*this};
  Call<&LogHome::found_alive, &LogHome::orphans_lost> alive_call_{*this};
  Call<&LogHome::orphan_returned, &LogHome::orphans_lost> orphan_call_{*this};

  // Without Redis, at the end.
  SpillCommit save_;
  bool saving_ = false;
  engine::JournalPosition saved_from_;  // the first frame of what was saved
  bool saved_ = false;
};

}  // namespace toll::daemon
