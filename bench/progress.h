// One line on a terminal that says how a measurement goes, written over and over again.
//
// Writes to standard output if that is a terminal, and nothing at all otherwise. One thread. Who
// prints something else clears the line before.
#pragma once

#include <string_view>

namespace toll::bench {

class ProgressLine {
 public:
  ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  ~ProgressLine() { clear(); }

  bool shown() const { return terminal_; }

  // `text` is plain ASCII; as much of it as there are columns takes the line's place.
  void show(std::string_view text);
  void clear();

 private:
  bool terminal_;
  bool dirty_ = false;
};

}  // namespace toll::bench
