#include "net/machine.h"

#include <cerrno>
#include <sys/random.h>
#include <system_error>
#include <time.h>

namespace toll::net {
namespace {

constexpr int64_t kNsPerS = 1'000'000'000;
constexpr int64_t kUsPerS = 1'000'000;

timespec read(clockid_t id) {
  timespec time{};
  clock_gettime(id, &time);
  return time;
}

}  // namespace

int64_t monotonic_ns() {
  const timespec time = read(CLOCK_MONOTONIC);
  return int64_t{time.tv_sec} * kNsPerS + time.tv_nsec;
}

int64_t KernelMachine::monotonic_ns() const {
  return net::monotonic_ns();
}

int64_t KernelMachine::realtime_us() const {
  const timespec time = read(CLOCK_REALTIME);
  return int64_t{time.tv_sec} * kUsPerS + time.tv_nsec / kNsPerUs;
}

uint64_t KernelMachine::random_bits() {
  uint64_t bits = 0;
  if (getrandom(&bits, sizeof(bits), 0) != static_cast<ssize_t>(sizeof(bits))) {
    throw std::system_error(errno, std::generic_category(), "getrandom");
  }
  return bits;
}

std::expected<std::unique_ptr<Loop>, std::string> KernelMachine::make_loop() {
  try {
    return Loop::make(backend_);
  } catch (const std::system_error& error) {  // a worker's thread has nobody to throw to
    return std::unexpected(std::string("a loop cannot be set up: ") + error.what() +
                           " (raise LimitNOFILE if it is descriptors that are missing)");
  }
}

}  // namespace toll::net
