#include "engine/breaker.h"

#include <algorithm>
#include <cassert>

#include "engine/flaws.h"

namespace toll::engine {
namespace {

constexpr int64_t kSliceUs = 100'000;
constexpr std::array<uint32_t, 3> kProbesOfRound = {1, 3, 10};

}  // namespace

std::string_view to_string(BreakerState state) {
  switch (state) {
    case BreakerState::kClosed:
      return "closed";
    case BreakerState::kOpen:
      return "open";
    case BreakerState::kHalfOpen:
      return "half-open";
  }
  return "";
}

Breaker::Breaker(const BreakerSettings& settings, uint64_t seed)
    : settings_(settings), random_(seed) {
  assert(settings.open_us > 0 && settings.open_max_us > 0);
}

bool Breaker::allow(TimeUs now) {
  switch (state_) {
    case BreakerState::kClosed:
      break;
    case BreakerState::kOpen:
      // A clock that stepped back must not make the wait any longer than it was meant.
      retry_at_ = std::min(retry_at_, now + wait_us_);
      if (now < retry_at_ || flawed(Flaw::kBreakerStaysOpen)) return false;
      state_ = BreakerState::kHalfOpen;
      // In the middle of the wait, far from the calls on either side of it: the durations that are
      // reported may come from another clock.
      probes_since_ = now - wait_us_ / 2;
      begin_round(0);
      [[fallthrough]];
    case BreakerState::kHalfOpen:
      if (probes_left_ == 0) return false;
      --probes_left_;
      break;
  }
  ++out_;
  return true;
}

void Breaker::report(Call call, int64_t duration_us, TimeUs now) {
  if (take_stale(duration_us, now)) return;
  const bool slow = duration_us > settings_.slow_call_us;
  if (state_ == BreakerState::kHalfOpen) return judge_probe(call, slow, now);
  if (out_ > 0) --out_;
  if (state_ == BreakerState::kOpen || call == Call::kVoid) return;

  const bool failed = call == Call::kFailed;
  in_a_row_ = failed ? in_a_row_ + 1 : 0;
  count(failed, slow, now);
  judge(now);
}

void Breaker::trip(TimeUs now) {
  if (state_ != BreakerState::kOpen) open(now, "the store cannot serve or is disconnected");
}

// By the calls' starts where there is a choice. The numbers under way hold whatever the clock does,
// so that a round of probes always comes to its end.
bool Breaker::take_stale(int64_t duration_us, TimeUs now) {
  if (stale_out_ == 0) return false;
  const bool stale = state_ == BreakerState::kOpen || out_ == 0 ||
                     now - std::max(duration_us, int64_t{0}) < probes_since_;
  if (stale) --stale_out_;
  return stale;
}

void Breaker::judge_probe(Call call, bool slow, TimeUs now) {
  if (out_ == 0) return;  // nobody asked for this call
  --out_;
  if (call == Call::kVoid) {
    ++probes_left_;
    return;
  }
  if (call == Call::kFailed) return open(now, "a probe failed");
  if (slow) return open(now, "a probe was slow");
  if (out_ > 0 || probes_left_ > 0) return;
  if (round_ + 1 == kProbesOfRound.size()) return close();
  begin_round(round_ + 1);
}

void Breaker::begin_round(size_t round) {
  round_ = round;
  probes_left_ = kProbesOfRound[round];
}

Breaker::Slice& Breaker::slice(TimeUs now) {
  const int64_t number = now / kSliceUs;
  Slice& slice = slices_[static_cast<uint64_t>(number) % kSlices];
  if (slice.number != number) slice = {number, 0, 0, 0};
  return slice;
}

void Breaker::count(bool failed, bool slow, TimeUs now) {
  Slice& current = slice(now);
  ++current.calls;
  if (failed) ++current.failed;
  if (slow) ++current.slow;
}

void Breaker::judge(TimeUs now) {
  if (in_a_row_ >= settings_.failures && in_a_row_ > 0) return open(now, "failures in a row");

  const int64_t newest = now / kSliceUs;
  uint64_t calls = 0;
  uint64_t failed = 0;
  uint64_t slow = 0;
  for (const Slice& slice : slices_) {
    // One of the future is from before the clock stepped back.
    if (slice.number > newest || slice.number <= newest - static_cast<int64_t>(kSlices)) continue;
    calls += slice.calls;
    failed += slice.failed;
    slow += slice.slow;
  }
  if (calls < settings_.calls_min) return;
  const auto reaches = [calls](uint64_t part, double rate) {
    return part > 0 && static_cast<double>(part) >= rate * static_cast<double>(calls);
  };
  if (reaches(failed, settings_.failure_rate)) return open(now, "failure rate");
  if (reaches(slow, settings_.slow_rate)) open(now, "slow calls");
}

void Breaker::open(TimeUs now, std::string_view cause) {
  if (state_ == BreakerState::kClosed) ++trips_;
  state_ = BreakerState::kOpen;
  cause_ = cause;
  disown_calls();
  const int64_t longer_us = open_for_us_ == 0 ? settings_.open_us : 2 * open_for_us_;
  open_for_us_ = std::min(longer_us, settings_.open_max_us);
  // From half of it to all of it.
  const int64_t half_us = open_for_us_ / 2;
  const auto choices = static_cast<uint64_t>(open_for_us_ - half_us);
  wait_us_ = half_us + 1 + static_cast<int64_t>(next_random() % choices);
  retry_at_ = now + wait_us_;
}

void Breaker::close() {
  state_ = BreakerState::kClosed;
  slices_ = {};
  in_a_row_ = 0;
  open_for_us_ = 0;
}

void Breaker::disown_calls() {
  stale_out_ += out_;
  out_ = 0;
}

// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
uint64_t Breaker::next_random() {
  random_ += 0x9e3779b97f4a7c15;
  uint64_t word = random_;
  word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9;
  word = (word ^ word >> 27) * 0x94d049bb133111eb;
  return word ^ word >> 31;
}

}  // namespace toll::engine
