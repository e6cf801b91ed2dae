// How an operation on a socket ended: every errno becomes one of these where it enters.
#pragma once

#include <cstdint>
#include <string_view>

namespace toll::net {

enum class IoStatus : uint8_t {
  kOk,
  kEnd,        // the peer has finished sending
  kCancelled,  // we asked for it to stop
  kPeerGone,   // reset, broken pipe, not connected
  kRefused,    // nobody listens there
  kTimedOut,
  kUnreachable,    // no route, network or host down
  kNoDescriptors,  // the process or the system is out of file descriptors
  kNoMemory,
  kNotFound,  // the path does not exist
  kDenied,    // permissions
  kOther,     // anything else: a defect of ours or of the kernel; the errno is in the log
};

// REQUIRES: error > 0, an errno. EAGAIN and EINTR never leave a back-end.
IoStatus io_status_of(int error);
std::string_view to_string(IoStatus status);

}  // namespace toll::net
