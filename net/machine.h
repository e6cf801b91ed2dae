// What a process has of the machine it runs on, besides files: time, randomness, and loops, from
// which all sockets come. Handed in, so that the same code runs on a simulated machine.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>

#include "net/loop.h"

namespace toll::net {

inline constexpr int64_t kNsPerUs = 1'000;

class Machine {
 public:
  virtual ~Machine() = default;

  // Time since some moment in the past; never runs backwards. Any thread; about 20 ns: read it a
  // few times a turn at most.
  virtual int64_t monotonic_ns() const = 0;
  // The system's clock, since the Unix epoch; people and daemons set it. Any thread.
  virtual int64_t realtime_us() const = 0;
  // Bits that nobody outside can guess. Any thread; for seeds and keys. Throws std::system_error.
  virtual uint64_t random_bits() = 0;

  // The loop of the calling thread. Errors as Loop::make().
  virtual std::expected<std::unique_ptr<Loop>, std::string> make_loop() = 0;
  // Which kind those loops are.
  virtual Backend backend() const = 0;

 protected:
  Machine() = default;
  Machine(const Machine&) = default;
  Machine& operator=(const Machine&) = default;
};

// The kernel's, with that kind of loops.
class KernelMachine final : public Machine {
 public:
  explicit KernelMachine(Backend backend) : backend_(backend) {}

  int64_t monotonic_ns() const override;
  int64_t realtime_us() const override;
  uint64_t random_bits() override;
  std::expected<std::unique_ptr<Loop>, std::string> make_loop() override;
  Backend backend() const override { return backend_; }

 private:
  Backend backend_;
};

// CLOCK_MONOTONIC in nanoseconds, for what runs on nothing but a kernel.
int64_t monotonic_ns();

}  // namespace toll::net
