#include "daemon/full_screen.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <poll.h>
#include <string_view>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace toll::daemon {
namespace {

// The other page, no cursor, no wrapping; and back.
constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J";
constexpr std::string_view kLeave = "\x1b[?7h\x1b[?25h\x1b[?1049l";
constexpr char kEndOfInput = 4;  // Ctrl-D

bool write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (written < 0 && errno != EINTR && errno != EAGAIN) return false;
    if (written < 0) {
      // Another program may have made the terminal one that does not wait.
      pollfd room{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
      ::poll(&room, 1, -1);
      continue;
    }
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

sigset_t watched_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int each : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH}) {
    sigaddset(&set, each);
  }
  return set;
}

}  // namespace

std::expected<std::unique_ptr<FullScreen>, std::string> FullScreen::open() {
  std::unique_ptr<FullScreen> screen(new FullScreen());
  if (tcgetattr(STDIN_FILENO, &screen->before_) != 0) {
    return std::unexpected(fmt::format("standard input: {}", std::strerror(errno)));
  }
  const sigset_t watched = watched_signals();
  sigprocmask(SIG_BLOCK, &watched, &screen->mask_before_);
  screen->signals_ = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
  if (screen->signals_ < 0 || !screen->enter()) {
    return std::unexpected(fmt::format("the terminal: {}", std::strerror(errno)));
  }
  return screen;
}

FullScreen::~FullScreen() {
  leave();
  if (signals_ < 0) return;
  ::close(signals_);
  sigprocmask(SIG_SETMASK, &mask_before_, nullptr);
}

bool FullScreen::enter() {
  termios raw = before_;
  raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  raw.c_cc[VMIN] = 0;
  raw.c_cc[VTIME] = 0;
  // Before the first byte is written: a write that fails half way needs the way back too.
  entered_ = true;
  return tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) == 0 && write_all(kEnter);
}

void FullScreen::leave() {
  if (!entered_) return;
  entered_ = false;
  write_all(kLeave);
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
}

ScreenSize FullScreen::size() const {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) {
    return {};
  }
  return {.rows = size.ws_row, .columns = size.ws_col};
}

bool FullScreen::show(const std::vector<std::string>& lines) {
  std::string text = "\x1b[H";
  for (size_t i = 0; i < lines.size(); ++i) {
    text += fmt::format("\x1b[{};1H{}\x1b[K", i + 1, lines[i]);
  }
  // Below the last line, unless that is the terminal's last.
  if (lines.size() < size().rows) text += fmt::format("\x1b[{};1H\x1b[J", lines.size() + 1);
  return write_all(text);
}

FullScreen::Event FullScreen::wait(std::chrono::steady_clock::time_point until) {
  using std::chrono::milliseconds;
  while (true) {
    const auto left =
        std::chrono::ceil<milliseconds>(until - std::chrono::steady_clock::now()).count();
    if (left <= 0) return Event::kTimeout;
    std::array<pollfd, 2> waits = {{{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0},
                                    {.fd = signals_, .events = POLLIN, .revents = 0}}};
    if (::poll(waits.data(), waits.size(), static_cast<int>(left)) <= 0) continue;
    Event event = Event::kTimeout;
    if (waits[1].revents != 0) event = read_signal();
    if (event == Event::kTimeout && waits[0].revents != 0) event = read_keys(waits[0].revents);
    if (event != Event::kTimeout) return event;
  }
}

FullScreen::Event FullScreen::read_signal() {
  signalfd_siginfo info{};
  Event event = Event::kTimeout;
  while (::read(signals_, &info, sizeof(info)) == sizeof(info)) {
    const int number = static_cast<int>(info.ssi_signo);
    if (number == SIGWINCH) {
      event = Event::kResized;
    } else if (number == SIGTSTP) {
      // The shell gets its terminal as it was, and we ours when we go on.
      leave();
      ::kill(::getpid(), SIGSTOP);
      if (!enter()) return Event::kLeave;
      event = Event::kResized;
    } else {
      signal_ = number;
      return Event::kLeave;
    }
  }
  return event;
}

FullScreen::Event FullScreen::read_keys(short found) {
  std::array<char, 64> keys{};
  const ssize_t got = ::read(STDIN_FILENO, keys.data(), keys.size());
  if (got <= 0) return (found & (POLLHUP | POLLERR)) != 0 ? Event::kLeave : Event::kTimeout;
  const std::string_view typed(keys.data(), static_cast<size_t>(got));
  const bool leaves = typed.find_first_of("qQ") != std::string_view::npos ||
                      typed.find(kEndOfInput) != std::string_view::npos;
  return leaves ? Event::kLeave : Event::kTimeout;
}

}  // namespace toll::daemon
