#include "net/ring_restrictions.h"

#include <array>
#include <cerrno>
#include <sys/syscall.h>
#include <unistd.h>

namespace toll::net {
namespace {

constexpr io_uring_restriction may_submit(uint8_t operation) {
  return {.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = operation, .resv = 0, .resv2 = {}};
}

constexpr io_uring_restriction may_register(uint8_t operation) {
  return {
      .opcode = IORING_RESTRICTION_REGISTER_OP, .register_op = operation, .resv = 0, .resv2 = {}};
}

constexpr io_uring_restriction may_flag(uint8_t flags) {
  return {
      .opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED, .sqe_flags = flags, .resv = 0, .resv2 = {}};
}

constexpr std::array kRestrictions = {
    may_submit(IORING_OP_ACCEPT),
    may_submit(IORING_OP_ASYNC_CANCEL),
    may_submit(IORING_OP_CONNECT),
    may_submit(IORING_OP_READ),  // the doorbell
    may_submit(IORING_OP_RECV),
    may_submit(IORING_OP_SEND),
    may_flag(IOSQE_BUFFER_SELECT),
    may_register(IORING_REGISTER_SYNC_CANCEL),  // both at the ring's end
    may_register(IORING_UNREGISTER_RING_FDS),
};

// Not liburing's, which Debian 12 declares and does not export.
long register_with(const io_uring& ring, unsigned operation, const void* what, size_t count) {
  return syscall(SYS_io_uring_register, ring.ring_fd, operation, what, count);
}

}  // namespace

int restrict_and_enable(io_uring& ring) {
  [[maybe_unused]] const long restricted =
      register_with(ring, IORING_REGISTER_RESTRICTIONS, kRestrictions.data(), kRestrictions.size());
  return register_with(ring, IORING_REGISTER_ENABLE_RINGS, nullptr, 0) < 0 ? errno : 0;
}

}  // namespace toll::net
