// A worker's log records: those that its own clients push, from the request to the answer.
//
//   LOG PUSH ──▶ batch ──┬──▶ Redis ──▶ answered "redis"
//                        ├──▶ spill ──▶ answered "spill"    Redis is away, or older ones wait there
//                        └──▶ worker 0's queue ──▶ answered "local"       there is no Redis
//
// Batches leave in the order in which they came, and one at a time to each place, so that what one
// client pushes stays in order. While records of this worker are in the spill, newer ones go there
// too. A push that was lost goes to the spill with its number: who drains it asks Redis whether it
// was made.
//
// Belongs to a worker and runs on its thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string_view>
#include <vector>

#include "daemon/log_letters.h"
#include "daemon/log_pusher.h"
#include "daemon/log_spill.h"
#include "net/redis_link.h"

namespace toll::daemon {

class Worker;

class Logs final : public LogPusher::Owner {
 public:
  // All outlive it. `link`: the worker's first; null: without Redis.
  Logs(Worker& worker, LogSpill& spill, net::RedisLink* link);
  ~Logs();

  // Takes a record that was found good; `ask` is answered now or later.
  void push(Ask& ask, std::string_view record);
  // A reply with records was written to the session: they are the client's once the kernel has it.
  void written(LogRequest& request, Session& session);
  // ... it was never written: its client is gone.
  void unwritten(LogRequest& request);

  void answered(LogBatch& batch);
  void answered(SpillCommit& commit);

  // Once a turn, after requests were collected.
  void pump();
  int64_t next_due_ns() const { return waits_by_ns_ == 0 ? INT64_MAX : waits_by_ns_; }
  bool idle() const;

 private:
  int64_t turn_ns() override;
  void pushed(LogPusher::Outcome outcome, uint64_t dropped, std::string_view error) override;
  std::unique_ptr<LogBatch> new_batch();
  void recycle(std::unique_ptr<LogBatch> batch);
  bool may_push();
  bool waits_for_drain();
  void push_next();
  void spill_next();
  void send_to_queue();
  void look_after_written();
  void answer_all(LogBatch& batch, LogFate fate);
  void answer(Ask& ask, LogFate fate);

  Worker& worker_;
  LogSpill& spill_;
  net::RedisLink* const link_;
  std::unique_ptr<LogPusher> pusher_;

  // Oldest first; the last may still be filling.
  std::deque<std::unique_ptr<LogBatch>> waiting_;
  size_t waiting_bytes_ = 0;
  std::unique_ptr<LogBatch> flying_;  // in the push under way, or with worker 0
  std::unique_ptr<LogBatch> spare_;
  std::unique_ptr<SpillCommit> commit_;
  bool committing_ = false;
  // Once the spill is drained so far, none of our records are in it.
  engine::JournalPosition behind_until_;
  int64_t waits_by_ns_ = 0;  // for the last of them to be drained, no longer; 0: does not
  int64_t retry_ns_ = 0;     // nothing is pushed before
  int64_t said_ns_ = 0;
  std::vector<LogRequest*> written_;  // their sessions are still sending
};

}  // namespace toll::daemon
