#include "net/event_doorbell.h"

#include <cassert>
#include <cerrno>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>

namespace toll::net {

// Blocking, although nothing ever blocks on it: io_uring would answer EAGAIN instead of waiting on
// a non-blocking one, epoll reads only after it was told, and the counter cannot come near its
// limit.
EventDoorbell::EventDoorbell() : fd_(::eventfd(0, EFD_CLOEXEC)) {
  if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

EventDoorbell::~EventDoorbell() {
  ::close(fd_);
}

void EventDoorbell::ring() noexcept {
  constexpr uint64_t kOnce = 1;
  ssize_t written = 0;
  do {
    written = ::write(fd_, &kOnce, sizeof kOnce);
  } while (written < 0 && errno == EINTR);
  assert(written == sizeof kOnce);
}

}  // namespace toll::net
