#include "daemon/log_home.h"

#include <algorithm>
#include <spdlog/spdlog.h>
#include <utility>

#include "daemon/log_spill.h"
#include "daemon/report.h"
#include "daemon/store_link.h"
#include "daemon/worker.h"
#include "engine/flaws.h"

namespace toll::daemon {
namespace {

// What one reply holds at most, so that no consumer grows the daemon.
constexpr size_t kReplyBytesMax = size_t{1} << 20;
// Whether those who wait are still there is looked at so often.
constexpr int64_t kLookAgainNs = 1'000'000'000;
// A POP waits for so long for others to take what they were given.
constexpr int64_t kPopWaitNs = 250'000'000;
// Saved at the end in frames of about so much.
constexpr size_t kSaveBytes = size_t{512} << 10;

}  // namespace

LogHome::LogHome(Worker& worker, LogSpill& spill, net::RedisLink* link)
    : worker_(worker), spill_(spill), link_(link) {
  if (link == nullptr) return;
  keys_ = std::make_unique<LogKeys>(worker.process());
  drain_ = std::make_unique<LogDrain>(worker, spill, *link);
  record_bytes_ = static_cast<size_t>(worker.process().logs.record_bytes_max);
  for (Take& take : takes_) {
    take.home = this;
    name(take);
  }
}

LogHome::~LogHome() = default;

// ---- requests ----

void LogHome::ask(LogRequest& request) {
  switch (request.kind) {
    case LogRequestKind::kDelivered:
    case LogRequestKind::kReturned:
      return settle(request);
    case LogRequestKind::kWait:
    case LogRequestKind::kPop:
      request.deadline_ns = worker_.turn_ns() +
                            (request.kind == LogRequestKind::kWait ? request.wait_ns : kPopWaitNs);
      if (link_ == nullptr) return take_here(request);
      pops_.push(request);
      return;
    default:
      if (link_ == nullptr) return answer_here(request);
      questions_.push(request);
      return;
  }
}

void LogHome::finish(LogRequest& request, LogResult result) {
  request.result = result;
  worker_.counters().logs_popped.add(request.gives_records() ? request.records.count() : 0);
  worker_.answer(request);
}

void LogHome::finish_all(LogRequests& requests, LogResult result) {
  while (LogRequest* request = requests.pop()) finish(*request, result);
}

void LogHome::end_waits() {
  const int64_t now_ns = worker_.turn_ns();
  if (!stopping_ && now_ns < first_wait_ns_) return;
  first_wait_ns_ = INT64_MAX;
  LogRequests kept;
  while (LogRequest* request = waiters_.pop()) {
    const bool gone = request->abandoned.load(std::memory_order_relaxed);
    if (stopping_ || gone || request->deadline_ns <= now_ns) {
      finish(*request);
    } else {
      kept.push(*request);
    }
  }
  while (LogRequest* request = kept.pop()) let_wait(*request);
}

void LogHome::let_wait(LogRequest& request) {
  first_wait_ns_ =
      std::min({first_wait_ns_, request.deadline_ns, worker_.turn_ns() + kLookAgainNs});
  waiters_.push(request);
}

// The one that waits longest, and still does; null: nobody.
LogRequest* LogHome::next_waiter() {
  while (LogRequest* request = waiters_.pop()) {
    if (!request->abandoned.load(std::memory_order_relaxed)) return request;
    finish(*request);
  }
  return nullptr;
}

// A reply with records has reached its client, or never will.
void LogHome::settle(LogRequest& request) {
  const bool returned = request.kind == LogRequestKind::kReturned && !request.records.empty() &&
                        !engine::flawed(engine::Flaw::kForgetsUndelivered);
  if (returned) {
    worker_.counters().logs_returned.add(request.records.count());
    if (link_ == nullptr) {
      saved_ = false;
      spill_.queue().put_back(std::exchange(request.records, {}), worker_.now());
    } else {
      returned_.push(request);
      return;
    }
  }
  for (size_t i = 0; i < kTakes; ++i) {
    if ((request.takes >> i & 1) == 0) continue;
    if (--takes_[i].owed == 0) takes_[i].delivered = true;
  }
  request.takes = 0;
  worker_.answer(request);
}

// ---- without Redis ----

void LogHome::take(LogBatch& batch) {
  const uint64_t dropped = spill_.queue().push(std::exchange(batch.records, {}), worker_.now());
  worker_.counters().logs_dropped.add(dropped);
  saved_ = false;
  while (!spill_.queue().empty()) {
    LogRequest* const waiter = next_waiter();
    if (waiter == nullptr) return;
    take_here(*waiter);
  }
}

void LogHome::copy_oldest(LogRequest& request) const {
  engine::LogBlock& records = request.records;
  spill_.queue().peek(request.wanted, [&](std::string_view record) {
    if (!records.empty() && records.bytes() + record.size() > kReplyBytesMax) return false;
    records.add(record);
    return true;
  });
}

void LogHome::take_here(LogRequest& request) {
  engine::LogQueue& queue = spill_.queue();
  if (queue.empty() && request.kind == LogRequestKind::kWait && request.wait_ns > 0) {
    return let_wait(request);
  }
  copy_oldest(request);
  for (size_t i = 0; i < request.records.count(); ++i) queue.drop_front();
  finish(request);
}

void LogHome::answer_here(LogRequest& request) {
  engine::LogQueue& queue = spill_.queue();
  request.number = queue.count();
  switch (request.kind) {
    case LogRequestKind::kPeek:
      copy_oldest(request);
      break;
    case LogRequestKind::kClear:
      worker_.counters().logs_dropped.add(queue.count());
      queue.clear();
      break;
    case LogRequestKind::kStats:
      if (!queue.empty()) {
        request.oldest_ms = std::max<int64_t>(0, (worker_.now() - queue.oldest()) / 1'000);
      }
      break;
    default:
      break;
  }
  finish(request);
}

// ---- the turn ----

void LogHome::pump() {
  end_waits();
  if (link_ == nullptr) {
    if (stopping_) save();
    return;
  }
  if (stopping_ || !link_->ready()) {
    finish_all(pops_, LogResult::kNoStore);
    finish_all(questions_, LogResult::kNoStore);
  }
  drain_->pump();
  if (wait_link_ != nullptr) wait_link_->tick(worker_.turn_ns());
  if (stopping_ || !link_->ready() || worker_.turn_ns() < retry_ns_) return;
  retry_ns_ = 0;
  settle_takes();
  give_back_next();
  pop();
  question();
  block();
  look_for_orphans();
}

int64_t LogHome::next_due_ns() const {
  int64_t due_ns = first_wait_ns_;
  if (link_ == nullptr) return due_ns;
  due_ns = std::min(due_ns, drain_->next_due_ns());
  if (wait_link_ != nullptr) due_ns = std::min(due_ns, wait_link_->next_tick_ns());
  if (link_->ready() && !stopping_) {
    if (retry_ns_ != 0) due_ns = std::min(due_ns, retry_ns_);
    if (!looking_) due_ns = std::min(due_ns, std::max(orphans_ns_, retry_ns_));
  }
  return due_ns;
}

void LogHome::set_address(const net::RedisAddress& address) {
  if (wait_link_ != nullptr) wait_link_->set_address(address);
}

void LogHome::set_password(const std::string& password) {
  if (wait_link_ != nullptr) wait_link_->set_password(password);
}

// ---- the end ----

void LogHome::stop() {
  stopping_ = true;
  if (drain_ != nullptr) drain_->stop();
  if (wait_link_ != nullptr) wait_link_->stop();
}

bool LogHome::idle() const {
  if (link_ == nullptr) return saved_;
  return drain_->idle() && (wait_link_ == nullptr || wait_link_->stopped());
}

// What is in memory goes to the disk, and what was there before is needed no more.
void LogHome::save() {
  if (saving_ || saved_) return;
  engine::LogQueue& queue = spill_.queue();
  save_.frame.clear();
  engine::LogBlock block;
  queue.peek(SIZE_MAX, [&](std::string_view record) {
    if (block.bytes() >= kSaveBytes || block.count() >= 1024) return false;
    block.add(record);
    return true;
  });
  if (block.empty() && spill_.records_at_start() == 0 && saved_from_ == engine::JournalPosition{}) {
    saved_ = true;
    return;
  }
  if (!block.empty()) write_spilled(save_.frame, block, 0, {}, worker_.now());
  const bool last = block.empty();
  save_.needs = !last                                      ? spill_.begin()
                : saved_from_ == engine::JournalPosition{} ? spill_.end_at_start()
                                                           : saved_from_;
  saving_ = true;
  worker_.send_to_spill(save_);
}

bool LogHome::answered(SpillCommit& commit) {
  if (drain_ != nullptr && drain_->told(commit)) return true;
  if (&commit != &save_) return false;
  saving_ = false;
  if (commit.frame.empty()) {
    saved_ = true;
    return true;
  }
  if (!commit.durable) {
    worker_.counters().logs_dropped.add(spill_.queue().count());
    spdlog::error("{} log records that waited in memory cannot be kept", spill_.queue().count());
    saved_ = true;
    return true;
  }
  if (saved_from_ == engine::JournalPosition{}) saved_from_ = commit.position;
  engine::RecordReader records(
      std::string_view(commit.frame.bytes().data(), commit.frame.bytes().size())
          .substr(engine::kFrameHeaderBytes));
  engine::JournalRecord record;
  while (records.next(record)) {
    if (record.kind == engine::RecordKind::kLog) spill_.queue().drop_front();
  }
  return true;
}

}  // namespace toll::daemon
