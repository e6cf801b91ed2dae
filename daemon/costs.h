// A worker's costs: the accounts that it owns, from a request to its answer.
//
//   ask ──▶ ledger ──▶ journal ──▶ answered ──▶ store: applied      ADD, SETTLE
//             │
//             └──▶ store ──▶ answered              GET, CHECK, HOLD, CANCEL, BUDGET
//                    │ away, late
//                    ▼
//                 answered by what the ledger knows
//
// Without a store the ledger answers everything, and what changes it is journaled first.
//
// Charges go to the store in the order of the journal, a window at a time (daemon/cost_feed.h), and
// the next only when the last is settled. One call is under way at a time; what collects meanwhile,
// charges and questions, is the next. A call that was lost is sent again as it was: the numbers in
// it tell the store what it has.
//
// Belongs to a worker and runs on its thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/cost_feed.h"
#include "daemon/cost_letters.h"
#include "daemon/treasury.h"
#include "engine/cost_call.h"
#include "net/redis_link.h"

namespace toll::daemon {

class Worker;

class Costs final {
 public:
  // All outlive it. `link`: the worker's first; null: without Redis.
  Costs(Worker& worker, Treasury& treasury, net::RedisLink* link);
  ~Costs();

  // Answers the request, now or later, through the worker. REQUIRES: this worker owns the account;
  // `from` is set.
  void ask(CostRequest& request);
  void answered(JournalCommit& commit);
  void answered(JournalRead& read);

  // Once a turn, after requests were collected.
  void pump();
  // When pump() is due at the latest, by the monotonic clock.
  int64_t next_due_ns() const;

  // The link was made, or lost.
  void link_ready();
  void link_away();

  // Nothing of ours is with the journal or on the link.
  bool idle() const;
  // Sends no more, so that it becomes idle.
  void stop() { stopping_ = true; }

 private:
  struct Call final : net::RedisCall {
    Costs* costs = nullptr;
    void on_reply(const net::RedisReply& reply) override { costs->replied(reply); }
    void on_lost(net::CallLoss loss) override { costs->lost(loss); }
  };
  struct Claim final : net::RedisCall {
    Costs* costs = nullptr;
    void on_reply(const net::RedisReply& reply) override { costs->claimed(reply); }
    void on_lost(net::CallLoss) override { costs->claiming_ = false; }
  };

  // Requests (daemon/costs.cc).
  void take(CostRequest& request);
  void add(CostRequest& request);
  void settle(CostRequest& request);
  void question(CostRequest& request);
  void answer_here(CostRequest& request);
  void hold_here(CostRequest& request);
  void budget_here(CostRequest& request);
  bool take_account(CostRequest& request, engine::Month month);
  bool journal_ready(CostRequest& request);
  void charge(CostRequest& request, engine::RecordKind kind);
  void write_down(CostRequest& request, const engine::JournalRecord& record);
  void fail_commit(CostRequests& waiting);
  void kept(CostRequest& request);
  void finish(CostRequest& request, CostResult result);
  void describe(CostRequest& request);
  static bool is_within(const CostRequest& request);
  engine::NanoDollars budget_of(const engine::Account& account) const;

  // The store (daemon/costs_store.cc).
  bool store_usable() const;
  void answer_by_ledger(CostRequest& request);
  void answer_all_by_ledger(CostRequests& requests);
  void expire(int64_t now_ns);
  void claim();
  void claimed(const net::RedisReply& reply);
  void fence(uint64_t epoch);
  void send_call();
  void add_charges();
  void window_over();
  void write_call();
  void replied(const net::RedisReply& reply);
  void lost(net::CallLoss loss);
  void failed(std::string_view message);
  void retry_later(std::string_view problem);
  void say(std::string_view problem);
  void deal(std::string_view reply);
  void give_up(const engine::CostCall::Dealt& dealt);
  void answer_asked();
  void end_hold(engine::Account& account, std::string_view name);
  void settle_late_holds();
  void answer_applied();

  // The journal.
  void send_commit();
  void snapshot();
  void add_account(engine::Account& account);
  void add_hold();
  void give_up_snapshot();
  void add_key(uint64_t number);
  bool remember(const CostRequest& request, bool settles);
  engine::JournalPosition needs() const;
  engine::TimeUs now();

  Worker& worker_;
  Treasury& treasury_;
  net::RedisLink* const link_;
  CostBook& book_;
  CostFeed feed_;
  engine::CostCall call_data_;
  Call call_;
  Claim claim_;

  uint64_t sequence_ = 0;  // of the last charge
  std::unique_ptr<JournalCommit> filling_;
  std::unique_ptr<JournalCommit> spare_;
  bool committing_ = false;

  CostRequests backlog_;                   // no room for them in this turn's frame
  CostRequests questions_;                 // for the store, not yet sent
  CostRequests flying_;                    // in the call under way
  CostRequests applying_;                  // costs.ack = "redis": kept, waiting for the store
  int64_t first_deadline_ns_ = INT64_MAX;  // of the last three, or before it
  // Holds that the store may have, and that nobody wants there.
  struct Unwanted {
    std::string name;
    engine::CostQuestion question;
    bool sent = false;
  };
  std::deque<Unwanted> unwanted_;
  bool calling_ = false;
  int64_t call_sent_ns_ = 0;
  uint32_t resent_ = 0;
  int64_t retry_ns_ = 0;  // nothing is sent before
  int64_t said_ns_ = 0;
  int64_t read_again_ns_ = 0;  // the journal is not read before

  bool claiming_ = false;
  bool ours_ = false;  // the store knows that our epoch is ours, on this connection
  bool fenced_ = false;
  bool unsafe_ = false;  // the store evicts any key
  bool stopping_ = false;
  bool met_ = false;    // a store, on an earlier connection
  std::string run_id_;  // ... which the marks are of; "" if it may not be read

  // What the journal was told that we need, and when.
  static constexpr int64_t kTellEveryNs = 200'000'000;
  engine::JournalPosition told_needs_;
  int64_t told_ns_ = 0;

  // Without a store: the accounts, holds and keys written down anew, as far as it has come.
  struct Snapshot {
    bool under_way = false;
    size_t account = 0;                 // of so many it is still to come
    uint64_t key = 0;                   // the next
    uint64_t written = 0;               // what the journal had been written when it began
    engine::Account* holder = nullptr;  // whose holds are being written
    std::vector<std::string> holds;     // ... which are left
    engine::JournalPosition from;
  };
  Snapshot snapshot_;
  engine::JournalPosition floor_;       // what snapshots cover is before it
  engine::JournalPosition next_floor_;  // ... once the commit under way is durable
  engine::JournalPosition last_;        // the last frame of ours
};

}  // namespace toll::daemon
