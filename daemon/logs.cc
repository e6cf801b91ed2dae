#include "daemon/logs.h"

#include <algorithm>
#include <cassert>
#include <spdlog/spdlog.h>
#include <utility>

#include "daemon/log_home.h"
#include "daemon/session.h"
#include "daemon/worker.h"
#include "engine/flaws.h"

namespace toll::daemon {
namespace {

// One batch: what Redis does in well under a millisecond.
constexpr size_t kBatchBytes = size_t{256} << 10;
constexpr size_t kBatchRecords = 1024;
// What may wait on one worker; past it a push is refused.
constexpr size_t kWaitingBytesMax = size_t{16} << 20;
// So much of the spill is drained in so long, where Redis is well.
constexpr uint64_t kSoonDrainedBytes = uint64_t{4} << 20;
constexpr int64_t kSoonDrainedNs = 50'000'000;

}  // namespace

Logs::Logs(Worker& worker, LogSpill& spill, net::RedisLink* link)
    : worker_(worker),
      spill_(spill),
      link_(link),
      commit_(std::make_unique<SpillCommit>()),
      behind_until_(spill.records_at_start() == 0 ? engine::JournalPosition{}
                                                  : spill.end_at_start()) {
  if (link == nullptr) return;
  pusher_ =
      std::make_unique<LogPusher>(*this, *link, worker.process(), std::to_string(worker.index()));
}

Logs::~Logs() = default;

// ---- records ----

void Logs::push(Ask& ask, std::string_view record) {
  if (waiting_bytes_ + record.size() > kWaitingBytesMax) return answer(ask, LogFate::kTooMany);
  const bool open = !waiting_.empty() && waiting_.back()->number == 0 &&
                    waiting_.back()->records.count() < kBatchRecords &&
                    waiting_.back()->records.bytes() + record.size() <= kBatchBytes;
  if (!open) waiting_.push_back(new_batch());
  waiting_.back()->records.add(record);
  const bool too_soon = engine::flawed(engine::Flaw::kAcksRecordsFirst);
  too_soon ? answer(ask, LogFate::kRedis) : waiting_.back()->asks.push_back(&ask);
  waiting_bytes_ += record.size();
}

std::unique_ptr<LogBatch> Logs::new_batch() {
  if (spare_ != nullptr) return std::move(spare_);
  return std::make_unique<LogBatch>();
}

void Logs::recycle(std::unique_ptr<LogBatch> batch) {
  batch->records.clear();
  batch->asks.clear();
  batch->number = 0;
  spare_ = std::move(batch);
}

void Logs::answer(Ask& ask, LogFate fate) {
  ask.fate = fate;
  ask.session->answered(ask);
}

void Logs::answer_all(LogBatch& batch, LogFate fate) {
  WorkerCounters& counters = worker_.counters();
  const bool taken = fate != LogFate::kNoDisk;
  (taken ? counters.logs_pushed : counters.logs_refused).add(batch.asks.size());
  if (fate == LogFate::kSpill) counters.logs_spilled.add(batch.asks.size());
  for (Ask* ask : batch.asks) answer(*ask, fate);
}

// ---- where they go ----

void Logs::pump() {
  look_after_written();
  if (waiting_.empty() || flying_ != nullptr) return;
  if (link_ == nullptr) return send_to_queue();
  if (may_push()) {
    waits_by_ns_ = 0;
    return push_next();
  }
  if (waits_for_drain()) return;
  waits_by_ns_ = 0;
  spill_next();
}

bool Logs::waits_for_drain() {
  const int64_t now_ns = worker_.turn_ns();
  if (!link_->ready() || committing_ || now_ns < retry_ns_) return false;
  if (waiting_.front()->number != 0) return false;
  const engine::JournalPosition drained = spill_.drained.get();
  const bool soon = drained.segment == behind_until_.segment &&
                    behind_until_.offset - drained.offset <= kSoonDrainedBytes;
  if (!soon || waiting_bytes_ > kWaitingBytesMax / 2) return false;
  if (waits_by_ns_ == 0) waits_by_ns_ = now_ns + kSoonDrainedNs;
  return now_ns < waits_by_ns_;
}

bool Logs::may_push() {
  if (!link_->ready() || committing_) return false;
  if (worker_.turn_ns() < retry_ns_) return false;
  if (engine::flawed(engine::Flaw::kOvertakesSpill)) return waiting_.front()->number == 0;
  return waiting_.front()->number == 0 && spill_.drained.get() >= behind_until_;
}

void Logs::push_next() {
  flying_ = std::move(waiting_.front());
  waiting_.pop_front();
  flying_->number = pusher_->push(flying_->records);
  worker_.counters().logs_calls.add();
}

int64_t Logs::turn_ns() {
  return worker_.turn_ns();
}

void Logs::pushed(LogPusher::Outcome outcome, uint64_t dropped, std::string_view error) {
  std::unique_ptr<LogBatch> batch = std::move(flying_);
  worker_.counters().logs_dropped.add(dropped);
  if (outcome == LogPusher::Outcome::kDone) {
    waiting_bytes_ -= batch->records.bytes();
    answer_all(*batch, LogFate::kRedis);
    return recycle(std::move(batch));
  }
  if (outcome == LogPusher::Outcome::kRefused) {
    batch->number = 0;
    worker_.counters().logs_errors.add();
    retry_ns_ = worker_.turn_ns() + kStoreRetryNs;
    if (said_ns_ == 0 || worker_.turn_ns() - said_ns_ >= kSayEveryNs) {
      said_ns_ = worker_.turn_ns();
      spdlog::warn("redis takes no log records, they wait on the disk: {}", error);
    }
  } else {
    worker_.counters().logs_lost.add();
  }
  waiting_.push_front(std::move(batch));
}

void Logs::spill_next() {
  if (committing_) return;
  engine::FrameWriter& frame = commit_->frame;
  frame.clear();
  size_t room = engine::kFrameBytesMax - engine::kFrameHeaderBytes;
  while (!waiting_.empty()) {
    std::unique_ptr<LogBatch>& batch = waiting_.front();
    const size_t needed = spilled_bytes(batch->records);
    if (needed > room) break;
    room -= needed;
    write_spilled(frame, batch->records, batch->number, spill_.token(), worker_.now());
    commit_->batches.push_back(std::move(batch));
    waiting_.pop_front();
  }
  commit_->needs = worker_.index() == 0 ? spill_.drained.get() : kNeedsNothing;
  committing_ = true;
  worker_.send_to_spill(*commit_);
}

void Logs::answered(SpillCommit& commit) {
  committing_ = false;
  if (commit.durable) {
    behind_until_ = {commit.position.segment, commit.position.offset + commit.frame.bytes().size()};
    worker_.process().post.wake(0);  // who drains the spill
  }
  for (std::unique_ptr<LogBatch>& batch : commit.batches) {
    waiting_bytes_ -= batch->records.bytes();
    answer_all(*batch, commit.durable ? LogFate::kSpill : LogFate::kNoDisk);
    recycle(std::move(batch));
  }
  commit.batches.clear();
  commit.frame.clear();
}

void Logs::send_to_queue() {
  flying_ = std::move(waiting_.front());
  waiting_.pop_front();
  waiting_bytes_ -= flying_->records.bytes();
  if (worker_.index() != 0) return worker_.send_to_home(*flying_);
  worker_.log_home()->take(*flying_);
  answered(*flying_);
}

void Logs::answered(LogBatch& batch) {
  assert(flying_.get() == &batch);
  answer_all(batch, LogFate::kLocal);
  recycle(std::move(flying_));
}

// ---- records that were given out ----

void Logs::written(LogRequest& request, Session& session) {
  request.session = &session;
  session.owes_records(1);
  written_.push_back(&request);
}

void Logs::unwritten(LogRequest& request) {
  request.kind = LogRequestKind::kReturned;
  worker_.ask(&request);
}

void Logs::look_after_written() {
  std::erase_if(written_, [this](LogRequest* request) {
    Session& session = *request->session;
    if (!session.all_sent() && !session.over()) return false;
    request->kind = session.all_sent() ? LogRequestKind::kDelivered : LogRequestKind::kReturned;
    session.owes_records(-1);
    worker_.touch(session);
    worker_.ask(request);
    return true;
  });
}

bool Logs::idle() const {
  return waiting_.empty() && flying_ == nullptr && !committing_ && written_.empty();
}

}  // namespace toll::daemon
