#include "daemon/top_command.h"

#include <algorithm>
#include <chrono>
#include <expected>
#include <optional>
#include <poll.h>
#include <unistd.h>
#include <utility>

#include "daemon/client_connection.h"
#include "daemon/daemon_view.h"
#include "daemon/full_screen.h"
#include "daemon/human_text.h"
#include "daemon/numbers.h"
#include "daemon/reply_printer.h"
#include "daemon/top_screen.h"

namespace toll::daemon {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::string_view kTopUsage = "wanted: tollkeeper top [--once] [--interval TIME]";
constexpr int64_t kIntervalMinUs = 10'000;
constexpr int64_t kIntervalMaxUs = 3'600'000'000;
// Keys wait for a daemon that does not answer.
constexpr milliseconds kAnswerWithin{1'000};
constexpr int kSignalStatus = 128;
constexpr size_t kPlainRows = 1'000;

struct TopOptions {
  bool once = false;
  milliseconds interval{1'000};
};

std::expected<TopOptions, std::string_view> parse_top(std::span<const std::string> words) {
  TopOptions top;
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--once") {
      top.once = true;
      continue;
    }
    int64_t interval_us = 0;
    if (words[i] != "--interval" || ++i == words.size()) return std::unexpected(kTopUsage);
    if (!parse_ttl(words[i], interval_us) || interval_us < kIntervalMinUs ||
        interval_us > kIntervalMaxUs) {
      return std::unexpected("--interval: a time from 10ms to 1h is expected, as 1s or 500ms");
    }
    top.interval = std::chrono::ceil<milliseconds>(std::chrono::microseconds(interval_us));
  }
  return top;
}

// Looks again and again, also at a daemon that goes and comes back.
class Watcher {
 public:
  explicit Watcher(ClientSettings settings) : settings_(std::move(settings)) {}

  // Error: why there is nothing to see.
  std::expected<void, std::string> look_again() {
    if (!connection_) {
      auto opened = ClientConnection::open(settings_);
      if (!opened) return std::unexpected(opened.error());
      connection_.emplace(std::move(*opened));
    }
    auto view = look(*connection_, kTopHotKeys);
    if (!view) {
      connection_.reset();
      return std::unexpected(view.error());
    }
    before_ = std::exchange(now_, std::move(*view));
    return {};
  }

  // REQUIRES: it was looked at. With one look alone there is no rate yet.
  std::vector<std::string> lines(ScreenSize size) const {
    return top_lines(before_ ? *before_ : *now_, *now_, size);
  }

 private:
  ClientSettings settings_;
  std::optional<ClientConnection> connection_;
  std::optional<DaemonView> before_;
  std::optional<DaemonView> now_;
};

int run_once(const ClientSettings& settings, milliseconds interval) {
  Watcher watcher(settings);
  for (int looks = 0; looks < 2; ++looks) {
    if (looks > 0) ::poll(nullptr, 0, static_cast<int>(interval.count()));
    if (const auto looked = watcher.look_again(); !looked) {
      complain(looked.error());
      return static_cast<int>(ExitStatus::kNoDaemon);
    }
  }
  ReplyPrinter printer(false);
  for (const std::string& line : watcher.lines({.rows = kPlainRows})) printer.say(line);
  return static_cast<int>(ExitStatus::kOk);
}

// A sentence of several lines, fit for the screen.
std::vector<std::string> lines_of(std::string_view text, ScreenSize size) {
  std::vector<std::string> lines;
  while (!text.empty() && lines.size() < size.rows) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    lines.push_back(printable(line.substr(0, size.columns)));
  }
  return lines;
}

int run_live(ClientSettings settings, milliseconds interval) {
  settings.timeout = std::min(settings.timeout, kAnswerWithin);
  Watcher watcher(settings);
  // Said plainly if there is nobody at all.
  if (const auto looked = watcher.look_again(); !looked) {
    complain(looked.error());
    return static_cast<int>(ExitStatus::kNoDaemon);
  }
  auto screen = FullScreen::open();
  if (!screen) {
    complain(screen.error());
    return static_cast<int>(ExitStatus::kError);
  }
  std::expected<void, std::string> looked;
  auto next = steady_clock::now() + interval;
  while (true) {
    const ScreenSize size = (*screen)->size();
    const bool shown =
        (*screen)->show(looked ? watcher.lines(size) : lines_of(looked.error(), size));
    if (!shown) return static_cast<int>(ExitStatus::kError);
    const FullScreen::Event event = (*screen)->wait(next);
    if (event == FullScreen::Event::kLeave) {
      const int number = (*screen)->signal();
      return number == 0 ? static_cast<int>(ExitStatus::kOk) : kSignalStatus + number;
    }
    if (event == FullScreen::Event::kResized) continue;
    looked = watcher.look_again();
    next = steady_clock::now() + interval;
  }
}

}  // namespace

int run_top_command(const CommandOptions& options, std::span<const std::string> words) {
  const auto top = parse_top(words);
  if (!top) {
    complain(top.error());
    return static_cast<int>(ExitStatus::kError);
  }
  const bool terminal = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
  return top->once || !terminal ? run_once(options.client, top->interval)
                                : run_live(options.client, top->interval);
}

}  // namespace toll::daemon
