// Brings log records from the spill to Redis, in their order: the oldest first, a block at a time,
// and no faster than half of the time Redis takes for them, so that live traffic keeps its latency.
//
//   spill ──read──▶ frame ──▶ block ──▶ Redis ──▶ the position is moved on
//
// A push that was lost is looked up by its mark before it is made again; so is one that was lost
// before its records came to the spill. Belongs to worker 0.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "daemon/log_letters.h"
#include "daemon/log_pusher.h"
#include "engine/journal_record.h"

namespace toll::daemon {

class Worker;

class LogDrain final : private LogPusher::Owner {
 public:
  // All outlive it.
  LogDrain(Worker& worker, LogSpill& spill, net::RedisLink& link);

  void pump();
  int64_t next_due_ns() const;
  void answered(JournalRead& read);
  // Was that letter ours?
  bool told(const SpillCommit& commit);
  void stop() { stopping_ = true; }
  bool idle() const { return !reading_ && !telling_; }
  // How long the oldest record in the spill has waited; nullopt: there is none, or it is not known.
  std::optional<engine::TimeUs> oldest() const;

 private:
  struct LookUp final : net::RedisCall {
    explicit LookUp(LogDrain& owner) : drain(owner) {}
    void on_reply(const net::RedisReply& reply) override { drain.looked_up(reply); }
    void on_lost(net::CallLoss) override { drain.looking_up_ = false; }
    LogDrain& drain;
  };

  int64_t turn_ns() override;
  void pushed(LogPusher::Outcome outcome, uint64_t dropped, std::string_view error) override;
  void look_up();
  void looked_up(const net::RedisReply& reply);
  void fill();
  bool take(const engine::JournalRecord& record);
  bool open_frame();
  void frame_done();
  void block_done();
  void move_on();
  void read_on();
  void tell();
  void wait(int64_t ns);

  Worker& worker_;
  LogSpill& spill_;
  net::RedisLink& link_;
  const LogKeys keys_;
  LogPusher pusher_;
  bool stopping_ = false;

  // What is being pushed. With `number_` and still there: nobody knows whether it was.
  engine::LogBlock block_;
  uint64_t number_ = 0;
  int64_t pushed_ns_ = 0;

  // A push to be looked up: whose, and under which token and number.
  struct Unsure {
    std::string name;
    std::string token;
    uint64_t number = 0;
    bool ours = false;
  };
  std::optional<Unsure> unsure_;
  LookUp look_up_{*this};
  bool looking_up_ = false;

  // The frame being taken apart.
  std::optional<engine::FrameReader> chunk_;
  engine::RecordReader records_{std::string_view()};
  bool frame_open_ = false;
  uint32_t frame_worker_ = 0;
  engine::TimeUs frame_time_ = 0;
  bool skips_ = false;                         // these records are in Redis
  std::optional<engine::JournalRecord> head_;  // met before what came before it was pushed

  // The frames that are taken apart; the last ones may still be in the block.
  engine::JournalPosition done_;

  engine::JournalPosition next_;  // where reading goes on
  JournalRead read_{LetterKind::kSpillRead};
  bool reading_ = false;
  bool at_end_ = false;
  uint64_t written_seen_ = 0;  // of the spill, when it was last read to its end

  SpillCommit tell_;
  bool telling_ = false;
  engine::JournalPosition told_;
  int64_t tell_ns_ = 0;  // not told again before
  int64_t wait_ns_ = 0;  // nothing is done before
};

}  // namespace toll::daemon
