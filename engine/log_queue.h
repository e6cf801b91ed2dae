// Log records waiting in memory for who takes them: first in, first out, bounded in records and in
// bytes. Where there is no Redis, this is the queue.
//
// Past a bound the oldest go: a log is worth most where it is newest, and producers never wait.
// Belongs to one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>

#include "engine/log_block.h"
#include "engine/types.h"

namespace toll::engine {

class LogQueue {
 public:
  // More than `records_max` records are never kept; nor more than `bytes_max` bytes, but for the
  // last block.
  LogQueue(uint64_t records_max, uint64_t bytes_max)
      : records_max_(records_max), bytes_max_(bytes_max) {}

  // Returns how many of the oldest went for it. REQUIRES: not empty.
  uint64_t push(LogBlock&& block, TimeUs now) {
    count_ += block.count();
    bytes_ += block.bytes();
    blocks_.push_back({std::move(block), now});
    uint64_t dropped = 0;
    while (count_ > records_max_ || (bytes_ > bytes_max_ && blocks_.size() > 1)) {
      drop_front();
      ++dropped;
    }
    return dropped;
  }

  bool empty() const { return count_ == 0; }
  uint64_t count() const { return count_; }
  // When the oldest was pushed. REQUIRES: not empty.
  TimeUs oldest() const { return blocks_.front().pushed; }

  // Calls sink(record) for up to `records` of the oldest, until it says false (and does not take
  // that one).
  template <typename Sink>
  void peek(size_t records, Sink&& sink) const {
    for (const Pushed& each : blocks_) {
      for (size_t i = 0; i < each.block.count(); ++i) {
        if (records-- == 0 || !sink(each.block.at(i))) return;
      }
    }
  }
  // REQUIRES: not empty.
  void drop_front() {
    LogBlock& block = blocks_.front().block;
    bytes_ -= block.at(0).size();
    --count_;
    block.drop_front(1);
    if (block.empty()) blocks_.pop_front();
  }
  // What was taken and not delivered is the oldest again. REQUIRES: not empty.
  void put_back(LogBlock&& block, TimeUs now) {
    count_ += block.count();
    bytes_ += block.bytes();
    blocks_.push_front({std::move(block), blocks_.empty() ? now : oldest()});
  }
  void clear() {
    blocks_.clear();
    count_ = 0;
    bytes_ = 0;
  }

 private:
  struct Pushed {
    LogBlock block;
    TimeUs pushed;
  };

  uint64_t records_max_;
  uint64_t bytes_max_;
  std::deque<Pushed> blocks_;
  uint64_t count_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace toll::engine
