// What the workers share for log records: the spill, a journal of its own for records that Redis
// could not take yet, with its thread; and our name among those who push.
//
// Made by main before the first worker starts, and gone after the last has ended.
#pragma once

#include <atomic>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <thread>

#include "config/settings.h"
#include "daemon/journal.h"
#include "daemon/journal_keeper.h"
#include "engine/log_queue.h"
#include "net/file_system.h"

namespace toll::daemon {

struct Process;

// A place in the journal that one thread moves on and others look at. What they see may be an
// earlier one, never a later one.
class SharedPosition {
 public:
  void set(engine::JournalPosition position) {
    offset_.store(0);
    segment_.store(position.segment);
    offset_.store(position.offset);
  }
  engine::JournalPosition get() const {
    const uint64_t segment = segment_.load();
    const uint64_t offset = offset_.load();
    return {segment, segment_.load() == segment ? offset : 0};
  }

 private:
  std::atomic<uint64_t> segment_{0};
  std::atomic<uint64_t> offset_{0};
};

// How records lie in the spill: how many bytes of a frame they take there; and writes them.
// `number` and `token`: of the push that nobody answered, 0: there was none.
size_t spilled_bytes(const engine::LogBlock& records);
void write_spilled(engine::FrameWriter& frame, const engine::LogBlock& records, uint64_t number,
                   std::string_view token, engine::TimeUs now);

class LogSpill {
 public:
  // Reads what is there. `files` are the directory of the spill; of `shape` the sizes of segments
  // count. Error: a sentence for the operator; the daemon must not start.
  static std::expected<std::unique_ptr<LogSpill>, std::string> open(
      Process& process, std::unique_ptr<net::FileSystem> files, const std::string& machine_id,
      Journal::Settings shape = default_shape());
  ~LogSpill();

  static Journal::Settings default_shape();

  // This process among all who push.
  const std::string& token() const { return token_; }
  // This host, the same after a restart: hexadecimal.
  const std::string& node() const { return node_; }
  uint32_t desk() const { return desk_; }  // in the post office
  JournalKeeper& keeper() { return *keeper_; }
  const JournalFigures& figures() const { return keeper_->figures(); }

  // Where draining begins, and where the spill ended when this process began.
  engine::JournalPosition begin() const { return begin_; }
  engine::JournalPosition end_at_start() const { return end_at_start_; }
  // Records in it when this process began.
  uint64_t records_at_start() const { return records_at_start_; }
  // Without Redis: those records. Worker 0's.
  engine::LogQueue& queue() { return queue_; }

  // All records before it are in Redis. Worker 0 moves it.
  SharedPosition drained;

  // The spill's thread. stop() after the last worker has ended.
  void start();
  void stop();

 private:
  LogSpill(Process& process, std::unique_ptr<net::FileSystem> files, Journal::Settings shape);
  std::expected<void, std::string> recover(engine::TimeUs now);

  const bool with_store_;
  const uint32_t desk_;
  std::string token_;
  std::string node_;
  std::unique_ptr<Journal> journal_;
  engine::JournalPosition begin_;
  engine::JournalPosition end_at_start_;
  uint64_t records_at_start_ = 0;
  engine::LogQueue queue_;
  std::unique_ptr<JournalKeeper> keeper_;
  std::thread thread_;
};

}  // namespace toll::daemon
