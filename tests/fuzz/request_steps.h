// What the target of request sequences speaks of: tables of policies to reload to, and operations
// made of a fuzz input.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "engine/key_hash.h"
#include "engine/policy.h"
#include "engine/shard.h"
#include "tests/fuzz/input.h"

namespace toll::engine::model {

using fuzz::Input;

inline constexpr uint64_t kIds = 2;
inline constexpr size_t kPolicies = 7;
inline constexpr uint16_t kJobs = 6;  // the one of tickets

inline Limit limit(int64_t count, int64_t window_ms, int64_t burst = 0) {
  return make_limit(count, burst, window_ms * kUsPerMs);
}

// The same policies with other counts, with other windows, and with one of another algorithm and
// one removed.
inline std::vector<PolicySpec> specs_of(size_t table) {
  std::vector<PolicySpec> specs(kPolicies);
  const auto set = [&](size_t i, Algorithm algorithm, std::vector<Limit> limits) {
    specs[i].name = "p" + std::to_string(i);
    specs[i].algorithm = algorithm;
    specs[i].limits = std::move(limits);
  };
  set(0, Algorithm::kGcra, {limit(5, 100)});
  set(1, Algorithm::kTokenBucket, {limit(4, 200, 3)});
  set(2, Algorithm::kGcra, {limit(6, 50), limit(20, 1'000), limit(30, 7'000)});
  set(3, Algorithm::kSlidingLog, {limit(4, 150), limit(9, 900)});
  set(4, Algorithm::kSlidingWindow, {limit(5, 120), limit(11, 1'100)});
  set(5, Algorithm::kFixedWindow, {limit(5, 70), make_limit(12, 0, 0, Calendar::kDay)});
  set(kJobs, Algorithm::kConcurrency, {limit(6, 300)});
  specs[0].mode = Mode::kLocal;
  for (PolicySpec& spec : specs) {
    if (table == 1 && spec.limits.size() > 1) spec.limits.push_back(limit(40, 3'000));
    for (Limit& each : spec.limits) {
      const bool bursts = each.burst != each.count;
      if (table == 1) {
        const int64_t burst = bursts ? 2 * each.burst + 1 : 0;
        each = make_limit(2 * each.count + 1, burst, each.window_us, each.calendar);
      } else if (table == 2 && each.calendar == Calendar::kNone) {
        each = make_limit(each.count, each.burst, 3 * each.window_us + kUsPerMs);
      }
    }
  }
  if (table == 3) {
    specs[0].algorithm = Algorithm::kFixedWindow;
    specs.pop_back();
  }
  return specs;
}

// The next operation of the input. `check`: a kCheck, for a group. `tickets`: how many were taken.
inline Operation next_operation(Input& input, bool check, TimeUs now, uint64_t& tickets) {
  static const KeyHasher kHasher{{0x746f6c6c, 0x6b656570}};
  constexpr Verb kVerbs[] = {Verb::kCheck,  Verb::kCheck, Verb::kCheck,   Verb::kCharge,
                             Verb::kRefund, Verb::kUndo,  Verb::kPeek,    Verb::kReset,
                             Verb::kNote,   Verb::kRepay, Verb::kThrottle};
  constexpr Verb kTicketVerbs[] = {Verb::kAcquire, Verb::kAcquire, Verb::kAcquire, Verb::kRelease,
                                   Verb::kRelease, Verb::kPeek,    Verb::kNote,    Verb::kReset};
  constexpr int64_t kUnits[] = {1, 1, 1, 2, 3, 5, 40, kUnitsMax};
  const uint8_t what = input.byte();
  const uint8_t who = input.byte();
  Operation op;
  // A policy of the first table, though it may not be there now.
  op.policy = static_cast<uint16_t>(what % kPolicies);
  const bool jobs = op.policy == kJobs;
  op.verb = jobs ? kTicketVerbs[what / kPolicies % std::size(kTicketVerbs)]
                 : kVerbs[what / kPolicies % std::size(kVerbs)];
  if (check) op.verb = Verb::kCheck;
  op.units = kUnits[who / kIds % 8];
  if (op.verb != Verb::kCheck && op.verb != Verb::kAcquire) op.units = std::min(op.units, 40L);
  if (op.verb == Verb::kUndo) op.charged_at = now - static_cast<int64_t>(who / 16) * 9'000;
  if (op.verb == Verb::kThrottle) {
    static const Limit kLimits[kIds] = {limit(3, 100, 2), limit(7, 1'000)};
    op.policy = kThrottlePolicy;
    op.throttle = &kLimits[who % kIds];
    if (who >= 240) op.units = 0;
  }
  if (jobs && (op.verb == Verb::kAcquire || op.verb == Verb::kNote)) {
    op.ticket = ++tickets;
    op.ttl_us = static_cast<int64_t>(who / 16) * 31'000;
  }
  if (op.verb == Verb::kRelease) op.ticket = tickets - std::min<uint64_t>(tickets, who / 16);
  op.key = kHasher(op.policy, std::to_string(who % kIds));
  return op;
}

}  // namespace toll::engine::model
