#include "net/loop.h"

#include <cassert>

#include "net/epoll_loop.h"
#include "net/uring_loop.h"

namespace toll::net {

std::string_view to_string(Backend backend) {
  switch (backend) {
    case Backend::kUring:
      return "io_uring";
    case Backend::kEpoll:
      return "epoll";
    case Backend::kSimulated:
      return "simulated";
  }
  return "unknown";
}

std::expected<std::unique_ptr<Loop>, std::string> Loop::make(Backend backend,
                                                             const LoopSettings& settings) {
  assert(backend != Backend::kSimulated);
  assert(settings.submission_entries > 0 && settings.receive_buffer_bytes > 0);
  if (backend == Backend::kUring) return UringLoop::make(settings);
  return EpollLoop::make(settings);
}

}  // namespace toll::net
