#include "daemon/cost_feed.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "engine/flaws.h"
#include "engine/money.h"

namespace toll::daemon {
namespace {

using engine::CostCharge;
using engine::JournalRecord;
using engine::RecordKind;

constexpr size_t kFreeMax = 4;

engine::RecordReader records_of(JournalCommit& commit) {
  const std::span<char> bytes = commit.frame.bytes();
  return engine::RecordReader(
      std::string_view(bytes.data(), bytes.size()).substr(engine::kFrameHeaderBytes));
}

// Of its first record.
engine::TimeUs time_of(JournalCommit& commit) {
  engine::RecordReader records = records_of(commit);
  JournalRecord record;
  return records.next(record) ? record.time : 0;
}

}  // namespace

CostFeed::CostFeed(Settings settings, CostBook& book, const engine::KeyHasher& hasher)
    : settings_(settings), book_(book), hasher_(hasher), oldest_(book.oldest_unapplied) {
  window_.reserve(settings.window_max);
}

// ---- what was kept ----

void CostFeed::kept(std::unique_ptr<JournalCommit> commit) {
  if (oldest_ == 0 || needs() == kNeedsNothing) oldest_ = time_of(*commit);
  const size_t bytes = commit->frame.bytes().size();
  if (queue_bytes_ + bytes > settings_.queue_bytes_max) {
    // The disk has it all; from the first that is dropped here, it is read there.
    if (!behind_) {
      behind_ = true;
      disk_ = queue_.empty() ? commit->position : queue_.front()->position;
    }
    queue_.clear();
    queue_bytes_ = 0;
    dropped_ = true;
  }
  queue_bytes_ += bytes;
  queue_.push_back(std::move(commit));
}

std::unique_ptr<JournalCommit> CostFeed::take_free() {
  if (free_.empty()) return nullptr;
  std::unique_ptr<JournalCommit> commit = std::move(free_.back());
  free_.pop_back();
  return commit;
}

// ---- the window ----

bool CostFeed::fill() {
  if (!window_.empty()) return true;
  window_begin_ = current_.next;
  while (window_.size() < settings_.window_max) {
    if (!current_.open && !next_frame()) break;
    JournalRecord record;
    if (!current_.records.next(record)) {
      current_.open = false;
      continue;
    }
    add(record);
    ++current_.next.index;
  }
  window_end_ = current_.next;
  if (!window_.empty()) return true;
  book_.counted_until = std::max(book_.counted_until, window_end_);
  return false;
}

void CostFeed::add(const JournalRecord& record) {
  const bool settles = record.kind == RecordKind::kSettle;
  if (record.kind != RecordKind::kCharge && !settles) return;
  const engine::KeyHash key = account_key(hasher_, record.id);
  if (key.owner(settings_.workers) != settings_.worker) return;
  const engine::Month month =
      settles ? static_cast<engine::Month>(record.extra) : engine::month_at(record.time);
  engine::Account& account = book_.ledger.must_find_or_add(key, record.id, month);
  const engine::ChargeNumber number{current_.epoch, record.sequence};
  // What the store is known to have is not sent again.
  const bool counts = current_.next >= book_.counted_until && account.counted < number;
  const bool next_too = engine::flawed(engine::Flaw::kMarkOffByOne);
  const engine::ChargeNumber passed{number.epoch, number.sequence - (next_too ? 1 : 0)};
  if (account.mark && passed <= *account.mark) {
    if (!counts) return;
    account.counted = number;
    account.applied += record.amount;
    return;
  }
  ++account.users;
  if (window_.empty()) oldest_ = record.time;
  window_.push_back({.account = &account,
                     .number = number,
                     .amount = record.amount,
                     .key = record.key,
                     .settles = settles,
                     .counts = counts});
}

bool CostFeed::settled() const {
  return std::all_of(window_.begin(), window_.end(), [](const CostCharge& c) { return c.done; });
}

void CostFeed::next_window() {
  for (const CostCharge& charge : window_) --charge.account->users;
  window_.clear();
  book_.counted_until = std::max(book_.counted_until, window_end_);
  while (held_.size() > (current_.open && !chunk_open_ ? size_t{1} : size_t{0})) {
    if (free_.size() < kFreeMax) free_.push_back(std::move(held_.front()));
    held_.erase(held_.begin());
  }
}

void CostFeed::rewind() {
  for (const CostCharge& charge : window_) --charge.account->users;
  window_.clear();
  current_ = {};
  held_.clear();
  chunk_.reset();
  chunk_open_ = false;
  behind_ = true;
  want_read_ = false;
  disk_ = {};
  oldest_ = 0;
  for (size_t i = 0; i < book_.ledger.size(); ++i) book_.ledger.at(i).mark.reset();
}

// ---- frames ----

bool CostFeed::next_frame() {
  if (behind_) return open_disk_frame();
  if (queue_.empty()) return false;
  held_.push_back(std::move(queue_.front()));
  queue_.pop_front();
  JournalCommit& commit = *held_.back();
  queue_bytes_ -= commit.frame.bytes().size();
  current_.records = records_of(commit);
  current_.epoch = settings_.epoch;
  current_.next = {commit.position, 0};
  current_.open = true;
  return true;
}

bool CostFeed::open_disk_frame() {
  while (chunk_open_) {
    const std::optional<engine::Frame> frame = chunk_->next();
    if (!frame) {
      chunk_open_ = false;
      chunk_.reset();
      break;
    }
    const engine::JournalPosition position{read_.segment.number, frame->offset};
    disk_ = {position.segment, chunk_->offset()};
    if (!queue_.empty() && position >= queue_.front()->position) {
      // From here on, memory has it.
      assert(position == queue_.front()->position || frame->worker != settings_.worker ||
             read_.segment.epoch != settings_.epoch);
      behind_ = false;
      caught_up_ = true;
      chunk_open_ = false;
      chunk_.reset();
      return next_frame();
    }
    if (read_.segment.epoch == settings_.epoch && frame->worker != settings_.worker) continue;
    current_.records = engine::RecordReader(frame->records);
    current_.epoch = read_.segment.epoch;
    current_.next = {position, 0};
    current_.open = true;
    return true;
  }
  if (behind_ && !reading_ && window_.empty()) want_read_ = true;
  return false;
}

JournalRead* CostFeed::wants_read() {
  // What the window and the frame point into must stay.
  if (!want_read_ || reading_ || !window_.empty() || chunk_open_ || current_.open) return nullptr;
  want_read_ = false;
  reading_ = true;
  dropped_ = false;
  read_.from = disk_;
  return &read_;
}

void CostFeed::arrived(JournalRead& read) {
  reading_ = false;
  want_read_ = false;
  if (read.from != disk_ || !behind_) return;  // rewound meanwhile
  if (read.failed) return;
  if (read.size == 0 && read.next == read.from) {
    // Its end: what was kept since lies in memory, if there was room for it.
    if (dropped_) return;
    behind_ = false;
    caught_up_ = true;
    return;
  }
  disk_ = read.next;
  if (read.size == 0) return;
  chunk_.emplace(std::string_view(read.bytes.data(), read.size), read.segment, read.offset);
  chunk_open_ = true;
}

engine::JournalPosition CostFeed::needs() const {
  if (!window_.empty()) return window_begin_.frame;
  if (current_.open) return current_.next.frame;
  if (behind_)
    return chunk_open_ ? engine::JournalPosition{read_.segment.number, read_.offset} : disk_;
  return queue_.empty() ? kNeedsNothing : queue_.front()->position;
}

}  // namespace toll::daemon
