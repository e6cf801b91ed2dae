#include "daemon/framing.h"

namespace toll::daemon {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::kBadRequest:
      return "BADREQ";
    case ErrorCode::kUnknown:
      return "UNKNOWN";
    case ErrorCode::kNoPolicy:
      return "NOPOLICY";
    case ErrorCode::kNoHold:
      return "NOHOLD";
    case ErrorCode::kTooLong:
      return "TOOLONG";
    case ErrorCode::kNoPermission:
      return "NOPERM";
    case ErrorCode::kBusy:
      return "BUSY";
    case ErrorCode::kUnavailable:
      return "UNAVAILABLE";
  }
  return "";
}

Frame read_frame(std::span<char> input, size_t request_max, size_t& scanned, Words& words) {
  if (input.empty()) return {};
  if (input.front() == '*') return read_resp_frame(input, request_max, scanned, words);
  return read_line_frame(input, request_max, scanned, words);
}

}  // namespace toll::daemon
