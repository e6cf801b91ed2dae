// The machine of a simulated daemon: clocks that drift, step and stop, and randomness from the
// seed.
#pragma once

#include <cassert>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "net/machine.h"
#include "tests/sim/random.h"
#include "tests/sim/scheduler.h"

namespace toll::sim {

class SimMachine final : public net::Machine {
 public:
  using MakeLoop = std::function<std::unique_ptr<net::Loop>()>;

  // `epoch_us` is what the system's clock tells at the start of simulated time.
  SimMachine(const Scheduler& scheduler, Random random, int64_t epoch_us, int64_t drift_ppm,
             MakeLoop make_loop)
      : scheduler_(scheduler),
        random_(random),
        realtime_offset_us_(epoch_us),
        drift_ppm_(drift_ppm),
        make_loop_(std::move(make_loop)) {}

  int64_t monotonic_ns() const override {
    if (stopped_at_ns_ > 0) return stopped_at_ns_;
    const int64_t now_ns = scheduler_.now_ns();
    return kBootNs + now_ns + now_ns / 1'000'000 * drift_ppm_ + extra_ns_;
  }
  int64_t realtime_us() const override { return monotonic_ns() / 1'000 + realtime_offset_us_; }
  uint64_t random_bits() override { return random_.next(); }
  std::expected<std::unique_ptr<net::Loop>, std::string> make_loop() override {
    return make_loop_();
  }
  net::Backend backend() const override { return net::Backend::kSimulated; }

  // How much true time passes until this clock has moved on by so much.
  int64_t true_duration_ns(int64_t own_ns) const {
    return own_ns - own_ns / 1'000'000 * drift_ppm_ + 1;
  }

  // Somebody sets the system's clock.
  void step_realtime(int64_t us) { realtime_offset_us_ += us; }
  // The clocks stand still, as in a virtual machine that is paused, and go on later.
  void stop_clocks() { stopped_at_ns_ = monotonic_ns(); }
  void go_on() {
    if (stopped_at_ns_ == 0) return;
    const int64_t stood_at_ns = stopped_at_ns_;
    stopped_at_ns_ = 0;
    extra_ns_ += stood_at_ns - monotonic_ns();
  }
  bool stands() const { return stopped_at_ns_ != 0; }
  // For a process that is wound up outside of simulated time.
  void leap(int64_t ns) { (stands() ? stopped_at_ns_ : extra_ns_) += ns; }

 private:
  static constexpr int64_t kBootNs = 1'000 * kNsPerS;

  const Scheduler& scheduler_;
  Random random_;
  int64_t realtime_offset_us_;
  int64_t drift_ppm_;
  int64_t extra_ns_ = 0;
  int64_t stopped_at_ns_ = 0;  // 0: they go
  MakeLoop make_loop_;
};

}  // namespace toll::sim
