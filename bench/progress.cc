#include "bench/progress.h"

#include <cstddef>
#include <cstdio>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace toll::bench {
namespace {

constexpr size_t kColumnsUsual = 80;
constexpr std::string_view kToEnd = "\x1b[K";  // ECMA-48: what stands from here on is erased

// One fewer than there are, so that no terminal wraps the line.
size_t columns() {
  winsize size{};
  const bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
  return (known ? size.ws_col : kColumnsUsual) - 1;
}

}  // namespace

ProgressLine::ProgressLine() : terminal_(isatty(STDOUT_FILENO) == 1) {}

void ProgressLine::show(std::string_view text) {
  if (!terminal_) return;
  fmt::print("\r{}{}", text.substr(0, columns()), kToEnd);
  std::fflush(stdout);
  dirty_ = true;
}

void ProgressLine::clear() {
  if (!dirty_) return;
  fmt::print("\r{}", kToEnd);
  std::fflush(stdout);
  dirty_ = false;
}

}  // namespace toll::bench
