#include "daemon/reply_printer.h"

#include <algorithm>
#include <cstdio>

#include "daemon/reply_json.h"

namespace toll::daemon {
namespace {

// Not a formatting call: a reply may hold any byte.
void write_line(std::string_view line, std::FILE* to) {
  std::fwrite(line.data(), 1, line.size(), to);
  std::fputc('\n', to);
}

ExitStatus status_of(ReplyKind kind) {
  switch (kind) {
    case ReplyKind::kOk:
    case ReplyKind::kAllow:
    case ReplyKind::kList:
    case ReplyKind::kEvent:
      return ExitStatus::kOk;
    case ReplyKind::kDeny:
      return ExitStatus::kDenied;
    case ReplyKind::kError:
      return ExitStatus::kError;
  }
  return ExitStatus::kError;
}

}  // namespace

void ReplyPrinter::print(const Reply& reply) {
  worst_ = std::max(worst_, status_of(reply.kind));
  if (json_) return say(json_of(reply));
  say(reply.line);
  for (const std::string_view row : reply.rows) say(row);
}

void ReplyPrinter::say(std::string_view line) {
  write_line(line, stdout);
}

void ReplyPrinter::complain(std::string_view line) {
  write_line(line, stderr);
}

void ReplyPrinter::flush() {
  std::fflush(stdout);
}

}  // namespace toll::daemon
