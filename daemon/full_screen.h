// A terminal that is a screen for as long as this lives: its other page (the "alternate screen"),
// without a cursor or line wrapping, and keys as they are typed. By plain ANSI sequences.
//
// Signals that would end or stop the process, or say that the terminal's size has changed, are
// blocked meanwhile and come as events: so there is no way out but through the destructor, which
// puts all back as it was. One per process and on its main thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <signal.h>
#include <string>
#include <termios.h>
#include <vector>

#include "daemon/top_screen.h"

namespace toll::daemon {

class FullScreen {
 public:
  // Takes the terminal that standard input and output are. Error: a sentence.
  static std::expected<std::unique_ptr<FullScreen>, std::string> open();
  ~FullScreen();
  FullScreen(const FullScreen&) = delete;
  FullScreen& operator=(const FullScreen&) = delete;

  ScreenSize size() const;
  // Shows these lines in place of what is there. False: the terminal is gone.
  bool show(const std::vector<std::string>& lines);

  enum class Event : uint8_t { kTimeout, kResized, kLeave };
  // The next event until then; kLeave is q, Ctrl-C or Ctrl-D, the end of input, or a signal to end.
  Event wait(std::chrono::steady_clock::time_point until);
  // Of the last kLeave: the signal it was, 0 if none.
  int signal() const { return signal_; }

 private:
  FullScreen() = default;
  bool enter();
  void leave();
  Event read_signal();
  // `found` is what poll(2) told of standard input.
  Event read_keys(short found);

  termios before_{};
  sigset_t mask_before_{};
  int signals_ = -1;
  int signal_ = 0;
  bool entered_ = false;
};

}  // namespace toll::daemon
