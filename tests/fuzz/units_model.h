// A sliding log and the tickets of a concurrency limit as a plain list of units, for the models of
// keys; the other algorithms' models are in tests/unit/algorithm_models.h.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "engine/limits.h"
#include "engine/policy.h"
#include "engine/types.h"

namespace toll::engine::model {

// Every unit with the time when it no longer counts: of a sliding log by its window, of tickets by
// their own life. Times in whole milliseconds.
class UnitsModel {
 public:
  UnitsModel(const Limit& limit, bool tickets) : limit_(limit), tickets_(tickets) {}

  void advance(TimeUs now) {
    now_ms_ = now / kUsPerMs;
    std::erase_if(units_, [&](const Units& each) { return end_of(each) <= now_ms_; });
  }
  bool admits(int64_t units) const { return used_at(now_ms_) + units <= limit_.count; }
  void charge(int64_t units) {
    const int64_t room = limit_.count + kSlidingLogDebtMax - used_at(now_ms_);
    units_.push_back({now_ms_, 0, std::clamp(room, int64_t{0}, units), 0});
  }
  void acquire(int64_t units, int64_t ttl_us, uint64_t ticket) {
    const int64_t life_us = ttl_us == 0 ? limit_.window_us : ttl_us;
    units_.push_back({now_ms_, wait_ms(life_us), units, ticket});
  }
  void release(uint64_t ticket) {
    std::erase_if(units_, [&](const Units& each) { return each.ticket == ticket; });
  }
  void refund(int64_t units) {  // newest first
    for (auto each = units_.rbegin(); each != units_.rend(); ++each) {
      const int64_t back = std::min(units, each->count);
      each->count -= back;
      units -= back;
    }
  }
  int64_t remaining() const {
    const int64_t left = limit_.count - used_at(now_ms_);
    return tickets_ ? std::max(left, int64_t{0}) : left;
  }
  int64_t retry_us(int64_t units) const {
    if (units > limit_.count) return kNever;
    return wait_until([&](int64_t ms) { return used_at(ms) + units <= limit_.count; });
  }
  int64_t reset_us() const {
    return wait_until([&](int64_t ms) { return used_at(ms) == 0; });
  }
  // What is there stays, under another limit.
  void take_limit(const Limit& limit) { limit_ = limit; }

 private:
  struct Units {
    int64_t at_ms;
    int64_t life_ms;  // of a ticket
    int64_t count;
    uint64_t ticket;
  };
  int64_t end_of(const Units& each) const {
    return each.at_ms + (tickets_ ? each.life_ms : limit_.window_us / kUsPerMs);
  }
  int64_t used_at(int64_t ms) const {
    int64_t used = 0;
    for (const Units& each : units_) used += end_of(each) > ms ? each.count : 0;
    return used;
  }
  // Something changes only when something ends.
  template <typename Holds>
  int64_t wait_until(Holds holds) const {
    std::vector<int64_t> times{now_ms_};
    for (const Units& each : units_) times.push_back(end_of(each));
    std::ranges::sort(times);
    const auto found = std::ranges::find_if(times, holds);
    return found == times.end() ? kNever : (*found - now_ms_) * kUsPerMs;
  }

  Limit limit_;
  bool tickets_;
  int64_t now_ms_ = 0;
  std::vector<Units> units_;
};

}  // namespace toll::engine::model
