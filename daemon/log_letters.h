// What travels for log records: batches from the worker that took them, requests of consumers to
// worker 0 and back, and what goes to the spill.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "daemon/cost_letters.h"
#include "daemon/letter.h"
#include "engine/log_block.h"

namespace toll::daemon {

// Records that one worker took, in their order, with who waits for each.
struct LogBatch : Letter {
  LogBatch() : Letter(LetterKind::kLogBatch) {}

  engine::LogBlock records;
  std::vector<Ask*> asks;  // as many
  uint64_t number = 0;     // under which it was pushed and no answer came; 0: it was not
};

// Batches on their way to the spill, in one frame.
struct SpillCommit final : JournalCommit {
  SpillCommit() : JournalCommit(LetterKind::kSpill) {}

  std::vector<std::unique_ptr<LogBatch>> batches;
};

enum class LogRequestKind : uint8_t {
  kPush,  // goes another way: daemon/logs.h
  kPop,
  kPeek,
  kWait,
  kSize,
  kClear,
  kStats,
  // What becomes of records that were given out.
  kDelivered,
  kReturned
};

enum class LogResult : uint8_t { kDone, kNoStore, kBusy };

// A consumer's request. Belongs to the worker that asks; worker 0's while it is there.
struct LogRequest : Letter {
  LogRequest() : Letter(LetterKind::kLogRequest) {}

  LogRequest* next = nullptr;  // in the pool, or in one of worker 0's lists
  Ask* ask = nullptr;
  Session* session = nullptr;  // while its records are on their way to the client
  uint32_t from = 0;           // the asking worker
  LogRequestKind kind = LogRequestKind::kSize;
  std::atomic<bool> abandoned{false};  // set by the asking worker: its client is gone
  size_t wanted = 0;                   // records, at most
  int64_t wait_ns = 0;                 // kWait: how long
  int64_t deadline_ns = 0;             // worker 0's; kPop: for beginning

  // The answer.
  LogResult result = LogResult::kDone;
  engine::LogBlock records;
  uint64_t number = 0;     // kSize, kClear; kStats: the size
  int64_t oldest_ms = -1;  // kStats; -1: not known
  uint32_t takes = 0;      // worker 0's: bit n: of the records of its n-th list of taken ones
  bool gives_records() const {
    return kind == LogRequestKind::kPop || kind == LogRequestKind::kWait;
  }
};

using LogRequests = LetterList<LogRequest>;

}  // namespace toll::daemon
