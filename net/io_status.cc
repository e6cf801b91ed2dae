#include "net/io_status.h"

#include <cassert>
#include <cerrno>

namespace toll::net {

IoStatus io_status_of(int error) {
  assert(error > 0);
  switch (error) {
    case ECANCELED:
      return IoStatus::kCancelled;
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
    case ENOTCONN:
    case ESHUTDOWN:
      return IoStatus::kPeerGone;
    case ECONNREFUSED:
      return IoStatus::kRefused;
    case ETIMEDOUT:
      return IoStatus::kTimedOut;
    case ENETUNREACH:
    case ENETDOWN:
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case EADDRNOTAVAIL:
      return IoStatus::kUnreachable;
    case EMFILE:
    case ENFILE:
      return IoStatus::kNoDescriptors;
    case ENOMEM:
    case ENOBUFS:
      return IoStatus::kNoMemory;
    case ENOENT:
      return IoStatus::kNotFound;
    case EACCES:
    case EPERM:
      return IoStatus::kDenied;
    default:
      return IoStatus::kOther;
  }
}

std::string_view to_string(IoStatus status) {
  switch (status) {
    case IoStatus::kOk:
      return "ok";
    case IoStatus::kEnd:
      return "end of stream";
    case IoStatus::kCancelled:
      return "cancelled";
    case IoStatus::kPeerGone:
      return "peer gone";
    case IoStatus::kRefused:
      return "connection refused";
    case IoStatus::kTimedOut:
      return "timed out";
    case IoStatus::kUnreachable:
      return "unreachable";
    case IoStatus::kNoDescriptors:
      return "out of file descriptors";
    case IoStatus::kNoMemory:
      return "out of memory";
    case IoStatus::kNotFound:
      return "not found";
    case IoStatus::kDenied:
      return "permission denied";
    case IoStatus::kOther:
      return "unexpected error";
  }
  return "unknown";
}

}  // namespace toll::net
