#include "net/accept_pause.h"

#include <algorithm>
#include <cerrno>

#include "net/limits.h"
#include "net/machine.h"

namespace toll::net {

// accept(2) hands on the pending network errors of the connection it would have returned.
AcceptFailure accept_failure_of(int error) {
  assert(error > 0);
  switch (error) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      return AcceptFailure::kOutOfRoom;
    case EAGAIN:
    case EINTR:
    case ECONNABORTED:
    case ECONNRESET:
    case EPROTO:
    case ENOPROTOOPT:
    case EPERM:
    case ETIMEDOUT:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
      return AcceptFailure::kOneConnection;
    default:
      return AcceptFailure::kFinal;
  }
}

void AcceptPause::add(Completion& completion) {
  waiting_.push(completion);
  due_ns_ = monotonic_ns() + kAcceptPauseNs;
}

int64_t AcceptPause::clip(int64_t timeout_ns) const {
  if (waiting_.empty()) return timeout_ns;
  const int64_t wait_ns = std::max<int64_t>(0, due_ns_ - monotonic_ns());
  return timeout_ns < 0 ? wait_ns : std::min(timeout_ns, wait_ns);
}

CompletionList AcceptPause::take_due() {
  if (waiting_.empty() || monotonic_ns() < due_ns_) return {};
  return std::move(waiting_);
}

}  // namespace toll::net
