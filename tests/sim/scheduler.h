// Simulated time, and what is to happen in it, in order: at equal times in the order in which it
// was asked for. Time moves only when nothing is left to do.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace toll::sim {

inline constexpr int64_t kNsPerUs = 1'000;
inline constexpr int64_t kNsPerMs = 1'000'000;
inline constexpr int64_t kNsPerS = 1'000'000'000;

class Scheduler {
 public:
  using Task = std::function<void()>;

  // True time: that of no machine, which all have clocks of their own.
  int64_t now_ns() const { return now_ns_; }
  uint64_t steps() const { return steps_; }

  // There is no taking back: a task that may be out of date must find out itself.
  void at(int64_t when_ns, Task task) {
    queue_.push_back({std::max(when_ns, now_ns_), ++asked_, std::move(task)});
    std::push_heap(queue_.begin(), queue_.end(), Later{});
  }
  void after(int64_t delay_ns, Task task) { at(now_ns_ + delay_ns, std::move(task)); }

  // Does the next one. REQUIRES: there is one.
  void step() {
    assert(!queue_.empty());
    std::pop_heap(queue_.begin(), queue_.end(), Later{});
    Entry entry = std::move(queue_.back());
    queue_.pop_back();
    now_ns_ = entry.when_ns;
    ++steps_;
    entry.task();
  }
  bool empty() const { return queue_.empty(); }

 private:
  struct Entry {
    int64_t when_ns;
    uint64_t order;
    Task task;
  };
  struct Later {
    bool operator()(const Entry& a, const Entry& b) const {
      return std::pair(a.when_ns, a.order) > std::pair(b.when_ns, b.order);
    }
  };

  int64_t now_ns_ = 0;
  uint64_t steps_ = 0;
  uint64_t asked_ = 0;
  std::vector<Entry> queue_;
};

}  // namespace toll::sim
