// Slow, obviously right models of the limiter algorithms, for the property tests.
//
// Each is written from the algorithm's definition: rational numbers as 128-bit numerators over a
// fixed denominator for gcra and the token bucket, a log of every request for the windows. None has
// a formula for a wait: waits are searched for, by asking when the model would admit. Deliberately
// without anything of engine/ but its types and limits.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "engine/limits.h"
#include "engine/policy.h"
#include "engine/types.h"

namespace toll::engine::model {

__extension__ typedef __int128 Wide;

inline Wide floor_of(Wide numerator, Wide denominator) {
  const Wide quotient = numerator / denominator;
  return quotient * denominator > numerator ? quotient - 1 : quotient;
}

inline Wide ceil_of(Wide numerator, Wide denominator) {
  return -floor_of(-numerator, denominator);
}

// The least wait in [0, most] for which `holds`, or `most`. A condition that, once true, stays
// true; where there are few waits all are tried in turn, so that this too is put to the test.
template <typename Holds>
int64_t least_wait(int64_t most, Holds holds) {
  if (most <= 100) {
    int64_t wait = 0;
    while (wait < most && !holds(wait)) ++wait;
    return wait;
  }
  int64_t low = 0;
  int64_t high = most;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (holds(middle)) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

// ITU-T I.371: a cell conforms unless it comes earlier than its theoretical arrival time less the
// tolerance. All times are numerators over the count; a unit is then exactly `window` long.
class GcraModel {
 public:
  static constexpr int64_t kStepUs = 1;

  explicit GcraModel(const Limit& limit) : limit_(limit) {}

  void advance(TimeUs now) { now_ = now; }

  bool admits(int64_t units) const { return admits_at(now_, units); }

  void charge(int64_t units) {
    const Wide start = std::max(arrival_, at(now_));
    const Wide tolerated = at(now_) + Wide{limit_.burst} * limit_.window_us;
    const Wide by_units = tolerated + Wide{kDebtUnitsMax} * limit_.window_us;
    const Wide by_time = std::max(tolerated, at(kTimeMaxUs));
    const Wide wanted = start + Wide{units} * limit_.window_us;
    arrival_ = std::max(start, std::min({wanted, by_units, by_time}));
  }

  void refund(int64_t units) {
    if (arrival_ <= at(now_)) return;
    arrival_ = std::max(arrival_ - Wide{units} * limit_.window_us, at(now_));
  }

  int64_t remaining() const {
    const Wide left =
        at(now_) + Wide{limit_.burst} * limit_.window_us - std::max(arrival_, at(now_));
    return static_cast<int64_t>(std::max(floor_of(left, limit_.window_us), -Wide{kDebtUnitsMax}));
  }

  int64_t retry_us(int64_t units) const {
    if (units > limit_.burst) return kNever;
    return least_wait(2 * kTimeMaxUs, [&](int64_t wait) { return admits_at(now_ + wait, units); });
  }

  int64_t reset_us() const {
    return least_wait(2 * kTimeMaxUs, [&](int64_t wait) { return arrival_ <= at(now_ + wait); });
  }

 private:
  Wide at(TimeUs time) const { return Wide{time} * limit_.count; }

  bool admits_at(TimeUs time, int64_t units) const {
    return std::max(arrival_, at(time)) + Wide{units} * limit_.window_us <=
           at(time) + Wide{limit_.burst} * limit_.window_us;
  }

  Limit limit_;
  TimeUs now_ = 0;
  Wide arrival_ = 0;
};

// A bucket of `burst` tokens, `count` more per window, never overfull. The level is a numerator
// over the window.
class TokenBucketModel {
 public:
  static constexpr int64_t kStepUs = 1;

  explicit TokenBucketModel(const Limit& limit) : limit_(limit), level_(full()) {}

  void advance(TimeUs now) {
    now_ = now;
    level_ = level_at(now);
    newest_ = std::max(newest_, now);
  }

  bool admits(int64_t units) const { return level_ >= tokens(units); }
  void charge(int64_t units) { level_ = std::max(level_ - tokens(units), -tokens(kDebtUnitsMax)); }
  void refund(int64_t units) { level_ = std::min(level_ + tokens(units), full()); }
  int64_t remaining() const { return static_cast<int64_t>(floor_of(level_, limit_.window_us)); }

  int64_t retry_us(int64_t units) const {
    if (units > limit_.burst) return kNever;
    return least_wait(kTimeMaxUs,
                      [&](int64_t wait) { return level_at(now_ + wait) >= tokens(units); });
  }

  int64_t reset_us() const {
    return least_wait(kTimeMaxUs, [&](int64_t wait) { return level_at(now_ + wait) == full(); });
  }

 private:
  Wide tokens(int64_t units) const { return Wide{units} * limit_.window_us; }
  Wide full() const { return tokens(limit_.burst); }
  Wide level_at(TimeUs time) const {
    const Wide elapsed = std::max(time - newest_, TimeUs{0});
    return std::min(level_ + elapsed * limit_.count, full());
  }

  Limit limit_;
  Wide level_;
  TimeUs now_ = 0;
  TimeUs newest_ = 0;
};

// Where windows lie, found by walking from the epoch month by month.
struct Window {
  int64_t start_ms = 0;
  int64_t end_ms = 0;
};

inline const std::vector<int64_t>& month_starts() {
  static const std::vector<int64_t> kStarts = [] {
    std::vector<int64_t> starts{0};
    for (int year = 1970; year < 2300; ++year) {
      const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
      for (const int days : {31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}) {
        starts.push_back(starts.back() + int64_t{days} * 86'400'000);
      }
    }
    return starts;
  }();
  return kStarts;
}

inline Window window_holding(const Limit& limit, int64_t ms) {
  if (limit.calendar == Calendar::kMonth) {
    const auto next = std::upper_bound(month_starts().begin(), month_starts().end(), ms);
    return {*std::prev(next), *next};
  }
  const int64_t length =
      limit.calendar == Calendar::kDay ? int64_t{86'400'000} : limit.window_us / 1000;
  return {ms / length * length, ms / length * length + length};
}

// What both window algorithms share: every request in a log, and a clock that does not leave the
// newest window seen.
class WindowLogModel {
 public:
  static constexpr int64_t kStepUs = 1000;

  void advance(TimeUs now) {
    now_ms_ = now / 1000;
    newest_start_ms_ = std::max(newest_start_ms_, window_holding(limit_, now_ms_).start_ms);
  }

  void refund(int64_t units) {
    // Newest first.
    const int64_t oldest_ms = oldest_refundable_ms();
    for (auto entry = log_.rbegin(); entry != log_.rend() && units > 0; ++entry) {
      if (entry->ms < oldest_ms) break;
      const int64_t back = std::min(units, entry->units);
      entry->units -= back;
      units -= back;
    }
  }

  void charge(int64_t units) {
    const int64_t left = limit_.count + kDebtUnitsMax - used_at(now_ms_);
    log_.push_back({within_newest(now_ms_), std::clamp(left, int64_t{0}, units)});
  }

  bool admits(int64_t units) const { return used_at(now_ms_) + units <= limit_.count; }

  // Another count; what was logged stays. REQUIRES: the same windows.
  void take_limit(const Limit& limit) { limit_ = limit; }

  int64_t remaining() const { return std::max(limit_.count - used_at(now_ms_), -kDebtUnitsMax); }

  int64_t retry_us(int64_t units) const {
    if (units > limit_.count) return kNever;
    return 1000 * least_wait(wait_max_ms(), [&](int64_t wait) {
             return used_at(now_ms_ + wait) + units <= limit_.count;
           });
  }

  int64_t reset_us() const {
    return 1000 *
           least_wait(wait_max_ms(), [&](int64_t wait) { return used_at(now_ms_ + wait) == 0; });
  }

 protected:
  explicit WindowLogModel(const Limit& limit) : limit_(limit) {}
  ~WindowLogModel() = default;

  virtual int64_t used_at(int64_t ms) const = 0;
  virtual int64_t oldest_refundable_ms() const = 0;

  int64_t within_newest(int64_t ms) const { return std::max(ms, newest_start_ms_); }

  int64_t logged_in(Window window) const {
    int64_t sum = 0;
    for (const Entry& entry : log_) {
      if (entry.ms >= window.start_ms && entry.ms < window.end_ms) sum += entry.units;
    }
    return sum;
  }

  Limit limit_;
  int64_t now_ms_ = 0;
  int64_t newest_start_ms_ = 0;

 private:
  struct Entry {
    int64_t ms;
    int64_t units;
  };

  // Nothing is in view after two whole windows.
  int64_t wait_max_ms() const {
    return within_newest(now_ms_) - now_ms_ + 2 * (limit_.window_us / 1000) + 2;
  }

  std::vector<Entry> log_;
};

class FixedWindowModel final : public WindowLogModel {
 public:
  explicit FixedWindowModel(const Limit& limit) : WindowLogModel(limit) {}

 private:
  int64_t used_at(int64_t ms) const override {
    return logged_in(window_holding(limit_, within_newest(ms)));
  }
  int64_t oldest_refundable_ms() const override { return newest_start_ms_; }
};

class SlidingWindowModel final : public WindowLogModel {
 public:
  explicit SlidingWindowModel(const Limit& limit) : WindowLogModel(limit) {}

 private:
  int64_t used_at(int64_t ms) const override {
    const int64_t at_ms = within_newest(ms);
    const Window window = window_holding(limit_, at_ms);
    int64_t used = logged_in(window);
    if (window.start_ms > 0) {
      const Window previous = window_holding(limit_, window.start_ms - 1);
      const Wide in_view = window.end_ms - at_ms;
      used += static_cast<int64_t>(
          ceil_of(logged_in(previous) * in_view, window.end_ms - window.start_ms));
    }
    return used;
  }
  int64_t oldest_refundable_ms() const override {
    if (newest_start_ms_ == 0) return 0;
    return window_holding(limit_, newest_start_ms_ - 1).start_ms;
  }
};

}  // namespace toll::engine::model
