#include "daemon/log_drain.h"

#include <algorithm>
#include <spdlog/spdlog.h>
#include <utility>

#include "daemon/log_spill.h"
#include "daemon/worker.h"
#include "engine/flaws.h"

namespace toll::daemon {
namespace {

using engine::JournalPosition;
using engine::JournalRecord;
using engine::RecordKind;

constexpr size_t kBlockBytes = size_t{256} << 10;
constexpr size_t kBlockRecords = 1024;
constexpr int64_t kReadRetryNs = 1'000'000'000;
// A slow Redis is left alone for so long at most.
constexpr int64_t kPauseMaxNs = 50'000'000;
constexpr int64_t kTellEveryNs = 200'000'000;

}  // namespace

LogDrain::LogDrain(Worker& worker, LogSpill& spill, net::RedisLink& link)
    : worker_(worker),
      spill_(spill),
      link_(link),
      keys_(worker.process()),
      pusher_(*this, link, worker.process(), "spill"),
      next_(spill.begin()),
      told_(spill.begin()) {}

int64_t LogDrain::turn_ns() {
  return worker_.turn_ns();
}

void LogDrain::wait(int64_t ns) {
  wait_ns_ = worker_.turn_ns() + ns;
}

int64_t LogDrain::next_due_ns() const {
  if (!link_.ready() || stopping_) return INT64_MAX;
  int64_t due_ns = INT64_MAX;
  if (!at_end_ && !reading_ && !pusher_.busy() && !looking_up_) due_ns = wait_ns_;
  if (told_ != spill_.drained.get() && !telling_) due_ns = std::min(due_ns, tell_ns_);
  return due_ns;
}

std::optional<engine::TimeUs> LogDrain::oldest() const {
  if (!frame_open_) return std::nullopt;
  return frame_time_;
}

void LogDrain::pump() {
  tell();
  if (stopping_ || !link_.ready() || pusher_.busy() || looking_up_ || reading_) return;
  if (at_end_ && spill_.figures().written.load() == written_seen_) return;
  if (worker_.turn_ns() < wait_ns_) return;
  at_end_ = false;
  if (unsure_) return look_up();
  if (block_.empty()) fill();
  if (unsure_) return look_up();
  if (block_.empty()) return;
  pushed_ns_ = worker_.turn_ns();
  number_ = pusher_.push(block_);
  worker_.counters().logs_calls.add();
}

// ---- pushes ----

void LogDrain::pushed(LogPusher::Outcome outcome, uint64_t dropped, std::string_view error) {
  WorkerCounters& counters = worker_.counters();
  counters.logs_dropped.add(dropped);
  switch (outcome) {
    case LogPusher::Outcome::kDone:
      block_done();
      return wait(std::min(worker_.turn_ns() - pushed_ns_, kPauseMaxNs));
    case LogPusher::Outcome::kRefused:
      counters.logs_errors.add();
      spdlog::debug("redis takes no log records from the disk: {}", error);
      return wait(kStoreRetryNs);
    case LogPusher::Outcome::kLost:
      counters.logs_lost.add();
      if (engine::flawed(engine::Flaw::kForgetsUnsurePush)) return;
      unsure_ = {.name = "spill", .token = spill_.token(), .number = number_, .ours = true};
      return;
  }
}

void LogDrain::look_up() {
  looking_up_ = true;
  link_.begin(look_up_, 2);
  link_.word("GET");
  link_.word(LogPusher::mark_key(keys_, unsure_->name));
  link_.end(worker_.turn_ns());
  link_.flush();
}

void LogDrain::looked_up(const net::RedisReply& reply) {
  using Kind = net::RedisReply::Kind;
  looking_up_ = false;
  if (reply.kind != Kind::kString && reply.kind != Kind::kNil) return wait(kStoreRetryNs);
  const auto mark = LogPusher::read_mark(reply.text, unsure_->token, unsure_->number);
  if (mark.done) worker_.counters().logs_dropped.add(mark.dropped);
  if (!unsure_->ours) {
    skips_ = mark.done;
  } else if (mark.done) {
    block_done();
  }
  unsure_.reset();
}

void LogDrain::block_done() {
  worker_.counters().logs_drained.add(block_.count());
  block_.clear();
  move_on();
}

// ---- from the spill ----

void LogDrain::fill() {
  while (block_.count() < kBlockRecords && block_.bytes() < kBlockBytes && !unsure_) {
    JournalRecord record;
    if (head_) {
      record = *std::exchange(head_, std::nullopt);
    } else if (!frame_open_) {
      if (!open_frame()) return;
      continue;
    } else if (!records_.next(record)) {
      frame_done();
      continue;
    }
    if (!take(record)) return;
  }
}

// False: what is in the block goes first.
bool LogDrain::take(const JournalRecord& record) {
  if (record.kind == RecordKind::kLogs) {
    const bool asks = !engine::flawed(engine::Flaw::kForgetsUnsurePush);
    const bool unsure = record.sequence != 0 && asks;
    if (unsure && !block_.empty()) {
      head_ = record;
      return false;
    }
    skips_ = false;
    frame_time_ = record.time;
    if (unsure) {
      unsure_ = {.name = std::to_string(frame_worker_),
                 .token = std::string(record.key),
                 .number = record.sequence};
    }
  }
  if (record.kind != RecordKind::kLog) return true;
  if (skips_) {
    worker_.counters().logs_drained.add();
  } else {
    block_.add(record.id);
  }
  return true;
}

bool LogDrain::open_frame() {
  while (chunk_) {
    const std::optional<engine::Frame> frame = chunk_->next();
    if (!frame) {
      chunk_.reset();
      break;
    }
    records_ = engine::RecordReader(frame->records);
    frame_open_ = true;
    frame_worker_ = frame->worker;
    return true;
  }
  if (block_.empty()) read_on();
  return false;
}

void LogDrain::frame_done() {
  frame_open_ = false;
  done_ = {read_.segment.number, chunk_->offset()};
  if (block_.empty() || engine::flawed(engine::Flaw::kDrainsAhead)) move_on();
}

// All frames before done_ are in Redis.
void LogDrain::move_on() {
  if (done_ <= spill_.drained.get()) return;
  spill_.drained.set(done_);
  // Who waits for it.
  for (uint32_t i = 1; i < worker_.process().workers_count; ++i) worker_.process().post.wake(i);
}

void LogDrain::read_on() {
  reading_ = true;
  read_.from = next_;
  written_seen_ = spill_.figures().written.load();
  worker_.send_to_spill(read_);
}

void LogDrain::answered(JournalRead& read) {
  reading_ = false;
  if (read.failed) return wait(kReadRetryNs);
  if (read.size == 0 && read.next == read.from) {
    at_end_ = true;
    return;
  }
  next_ = read.next;
  if (read.size == 0) return;
  chunk_.emplace(std::string_view(read.bytes.data(), read.size), read.segment, read.offset);
}

// ---- what is needed no more ----

void LogDrain::tell() {
  const JournalPosition drained = spill_.drained.get();
  if (telling_ || drained == told_ || worker_.turn_ns() < tell_ns_) return;
  telling_ = true;
  told_ = drained;
  tell_ns_ = worker_.turn_ns() + kTellEveryNs;
  tell_.needs = drained;
  worker_.send_to_spill(tell_);
}

bool LogDrain::told(const SpillCommit& commit) {
  if (&commit != &tell_) return false;
  telling_ = false;
  return true;
}

}  // namespace toll::daemon
