// What happened, for people: the last so many lines, each with its time. Who wants to see all of it
// as it happens asks for that.
#pragma once

#include <cstddef>
#include <cstdio>
#include <deque>
#include <fmt/format.h>
#include <string>
#include <utility>

#include "tests/sim/scheduler.h"

namespace toll::sim {

class History {
 public:
  History(const Scheduler& scheduler, bool aloud) : scheduler_(scheduler), aloud_(aloud) {}

  template <class... Arguments>
  void tell(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    add(fmt::format(format, std::forward<Arguments>(arguments)...));
  }

  void add(const std::string& text) {
    lines_.push_back(line_of(text));
    if (aloud_) fmt::print("{}\n", lines_.back());
    if (lines_.size() > kLines) lines_.pop_front();
  }

  // A promise was broken. The first time counts: what follows may be its consequence.
  template <class... Arguments>
  void violation(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    if (!violation_.empty()) return;
    violation_ = line_of(fmt::format(format, std::forward<Arguments>(arguments)...));
    add("VIOLATION " + violation_);
  }
  bool violated() const { return !violation_.empty(); }
  const std::string& violation() const { return violation_; }

  const std::deque<std::string>& lines() const { return lines_; }

 private:
  static constexpr size_t kLines = 400;

  std::string line_of(const std::string& text) const {
    return fmt::format("{:>13.6f}s {}",
                       static_cast<double>(scheduler_.now_ns()) / static_cast<double>(kNsPerS),
                       text);
  }

  const Scheduler& scheduler_;
  bool aloud_;
  std::deque<std::string> lines_;
  std::string violation_;
};

}  // namespace toll::sim
