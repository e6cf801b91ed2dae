// A circuit breaker: whether a store may be asked, judged by what became of the calls before.
//
//        failures in a row, failure rate, slow-call rate
//   closed ─────────────────────────────────────────────▶ open ◀──┐
//      ▲                                                   │ after a jittered wait, doubled each
//      time │ all probes of the third round went well           ▼      │ a probe failed or was slow
//      └────────────────────────────────────────────── half-open ─┘
//                                                       1, then 3, then 10 probes
//
// Judges calls, not connections: a store that accepts connections and hangs is not well. Replies
// that speak of a key or of a missing script are no failures; the caller decides what it reports.
// Sources: Nygard, "Release It!" (the pattern); resilience4j (rates over a sliding window).
//
// Belongs to one worker; time and randomness are handed in.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/types.h"

namespace toll::engine {

struct BreakerSettings {
  uint32_t failures = 5;      // in a row
  double failure_rate = 0.5;  // of at least calls_min in the last second
  int64_t slow_call_us = 50'000;
  double slow_rate = 0.8;     // likewise
  int64_t open_us = 250'000;  // doubled, with jitter, up to open_max_us
  int64_t open_max_us = 10'000'000;
  uint32_t calls_min = 20;

  bool operator==(const BreakerSettings&) const = default;
};

enum class BreakerState : uint8_t { kClosed, kOpen, kHalfOpen };
std::string_view to_string(BreakerState state);

class Breaker {
 public:
  // `seed` is for the jitter, so that a fleet does not come back all at once.
  Breaker(const BreakerSettings& settings, uint64_t seed);

  // May a call be made now? In the half-open state a yes is one of the round's probes, so ask only
  // to make the call, and report() once what became of it.
  bool allow(TimeUs now);

  enum class Call : uint8_t {
    kDone,    // answered, whatever the answer; slow or not is judged by its duration
    kFailed,  // no answer in time, a broken connection, or an error that speaks of the whole store
    kVoid,    // says nothing of the store's health: never sent, or given up by us. Returns a probe
  };
  // `duration_us`: since allow() said yes, also of a call that failed. It tells a call from before
  // the breaker opened, which says nothing any more, from a probe.
  void report(Call call, int64_t duration_us, TimeUs now);

  // Opens at once: the store said itself that it cannot serve (LOADING, BUSY, READONLY...), or the
  // connection is lost. In the open state changes nothing.
  void trip(TimeUs now);

  // The store was seen to answer by other ways than a call: if it is open, the next call is a probe
  // at once.
  void invite(TimeUs now) { retry_at_ = std::min(retry_at_, now); }

  BreakerState state() const { return state_; }
  // When allow() will say yes again, if it is open; for the worker's sleep. A clock that steps back
  // does not move it until allow() is asked.
  TimeUs retry_at() const { return retry_at_; }
  uint64_t trips() const { return trips_; }  // transitions from closed to open
  // Why it opened last: "failures in a row", ... Static text.
  std::string_view cause() const { return cause_; }

 private:
  struct Slice {
    int64_t number = -1;  // of the tenth of a second it counts
    uint32_t calls = 0;
    uint32_t failed = 0;
    uint32_t slow = 0;
  };
  static constexpr size_t kSlices = 10;

  Slice& slice(TimeUs now);
  void count(bool failed, bool slow, TimeUs now);
  void open(TimeUs now, std::string_view cause);
  void close();
  void judge(TimeUs now);
  void begin_round(size_t round);
  void judge_probe(Call call, bool slow, TimeUs now);
  // Whether a call that ran for so long was allowed before the breaker opened; takes it in if so.
  bool take_stale(int64_t duration_us, TimeUs now);
  // Calls under way were allowed in a state that is over.
  void disown_calls();
  uint64_t next_random();

  BreakerSettings settings_;
  BreakerState state_ = BreakerState::kClosed;
  std::array<Slice, kSlices> slices_{};
  uint32_t in_a_row_ = 0;
  size_t round_ = 0;          // half-open: of probes, from 0
  uint32_t probes_left_ = 0;  // ... that may still be sent in this round
  uint32_t out_ = 0;          // calls under way that this state allowed
  uint32_t stale_out_ = 0;    // ... that an earlier one did
  TimeUs probes_since_ = 0;   // between the last stale call's start and the first probe's
  int64_t open_for_us_ = 0;   // the last wait, before jitter
  int64_t wait_us_ = 0;       // ... and with it
  TimeUs retry_at_ = 0;
  uint64_t trips_ = 0;
  uint64_t random_;
  std::string_view cause_;
};

}  // namespace toll::engine
