#include "engine/store_describe.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <type_traits>

#include "engine/limits.h"
#include "engine/store_state.h"

namespace toll::engine {
namespace {

// The limits of one policy for one id, by the summaries S. The counterpart of LimitSet
// (engine/limit_set.h), and says what that says.
template <typename S>
class Limits {
 public:
  Limits(std::span<const Limit> limits, TimeUs now) : limits_(limits), now_(now) {
    assert(!limits.empty() && limits.size() <= states_.size());
  }

  bool read(PackReader& reader) {
    for (size_t i = 0; i < limits_.size(); ++i) {
      if (!S::read(limits_[i], now_, reader, states_[i])) return false;
    }
    return true;
  }

  void forget() { states_ = {}; }

  bool admits(int64_t units) const {
    if (units > kUnitsMax) return false;
    for (size_t i = 0; i < limits_.size(); ++i) {
      if (!S::admits(limits_[i], states_[i], now_, units)) return false;
    }
    return true;
  }

  void charge(int64_t units, [[maybe_unused]] int64_t ttl_us) {
    for (size_t i = 0; i < limits_.size(); ++i) {
      if constexpr (std::is_same_v<S, TicketSummary>) {
        S::acquire(limits_[i], states_[i], now_, units, ttl_us);
      } else {
        S::charge(limits_[i], states_[i], now_, units);
      }
    }
  }

  void refund(int64_t units) {
    if constexpr (!std::is_same_v<S, TicketSummary>) {
      for (size_t i = 0; i < limits_.size(); ++i) S::refund(limits_[i], states_[i], now_, units);
    }
  }

  // How long the windows that run now go on; units of one are none of the next.
  int64_t window_left_us() const {
    int64_t left_us = INT64_MAX;
    if constexpr (std::is_same_v<S, StoreState<FixedWindow>> ||
                  std::is_same_v<S, StoreState<SlidingWindow>>) {
      for (const Limit& limit : limits_) {
        const int64_t end_ms = window_at(limit, now_ / kUsPerMs).end_ms;
        left_us = std::min(left_us, end_ms * kUsPerMs - now_);
      }
    }
    return left_us;
  }

  // Takes what a ticket held, which the script says. False: that is more than there was.
  bool release(int64_t units) {
    if constexpr (std::is_same_v<S, TicketSummary>) {
      if (units > states_[0].used) return false;
      states_[0].used -= units;
    }
    return true;
  }

  Answer describe() const {
    size_t least = 0;
    int64_t remaining = S::remaining(limits_[0], states_[0], now_);
    for (size_t i = 1; i < limits_.size(); ++i) {
      const int64_t of_this = S::remaining(limits_[i], states_[i], now_);
      if (of_this >= remaining) continue;
      remaining = of_this;
      least = i;
    }
    return {limits_[least].burst, remaining, 0, reset_us(least)};
  }

  // REQUIRES: !admits(units).
  Answer describe_refusal(int64_t units) const {
    if (units > kUnitsMax) {
      Answer answer = describe();
      answer.retry_us = kNever;
      return answer;
    }
    size_t longest = 0;
    int64_t longest_us = 0;
    for (size_t i = 0; i < limits_.size() && longest_us != kNever; ++i) {
      const int64_t wait_us = S::retry_us(limits_[i], states_[i], now_, units);
      if (wait_us != kNever && wait_us <= longest_us) continue;
      longest_us = wait_us;
      longest = i;
    }
    return {limits_[longest].burst, S::remaining(limits_[longest], states_[longest], now_),
            longest_us, reset_us(longest)};
  }

 private:
  int64_t reset_us(size_t i) const { return S::reset_us(limits_[i], states_[i], now_); }

  std::span<const Limit> limits_;
  TimeUs now_;
  std::array<typename S::State, kLimitsPerPolicyMax> states_{};
};

// Calls each(slot) for the claim's slots, in order.
template <typename Each>
void for_each_slot(const StoreClaim& claim, std::span<StoreSlot> slots, Each&& each) {
  for (uint32_t at = claim.first_slot; at != kNoSlot; at = slots[at].next) each(slots[at]);
}

// Checks of one kind in a row, of which the first `admitted` were.
template <typename S>
Replay describe_merged(const StoreClaim& claim, Limits<S>& limits, int64_t admitted,
                       std::span<StoreSlot> slots) {
  uint32_t at = claim.first_slot;
  for (; admitted > 0; --admitted, at = slots[at].next) {
    if (at == kNoSlot || !limits.admits(claim.units)) return Replay::kContradicts;
    limits.charge(claim.units, claim.ttl_us);
    slots[at].outcome = Outcome::kAdmitted;
    slots[at].answer = limits.describe();
  }
  if (at == kNoSlot) return Replay::kAgrees;
  if (limits.admits(claim.units)) return Replay::kContradicts;
  const Answer refusal = limits.describe_refusal(claim.units);
  for (; at != kNoSlot; at = slots[at].next) {
    slots[at].outcome = Outcome::kRefused;
    slots[at].answer = refusal;
  }
  return Replay::kRefuses;
}

// Part of a check that was decided as a whole. Of several operations on one key the last speaks for
// their sum.
template <typename S>
Replay describe_together(const StoreClaim& claim, Limits<S>& limits, int64_t code,
                         std::span<StoreSlot> slots) {
  const bool fits = limits.admits(claim.units);
  if (code > 1 || (code == 1 && !fits)) return Replay::kContradicts;
  for_each_slot(claim, slots, [&](StoreSlot& slot) {
    if (code == 1) limits.charge(slot.units, claim.ttl_us);
    slot.outcome = Outcome::kAdmitted;
    slot.answer = limits.describe();
  });
  if (fits) return Replay::kAgrees;
  StoreSlot& last = slots[claim.last_slot];
  last.outcome = Outcome::kRefused;
  last.answer = limits.describe_refusal(claim.units);
  return Replay::kRefuses;
}

// The answer is as if all that was set aside were used.
template <typename S>
Replay describe_lease(const StoreClaim& claim, Limits<S>& limits, int64_t granted, TimeUs now,
                      std::span<StoreSlot> slots) {
  if (granted > claim.most) return Replay::kContradicts;
  if (granted > 0 && !limits.admits(granted)) return Replay::kContradicts;
  if (granted > 0) limits.charge(granted, 0);
  StoreSlot& slot = slots[claim.first_slot];
  slot.outcome = granted > 0 ? Outcome::kAdmitted : Outcome::kRefused;
  slot.answer = limits.describe();
  const int64_t window_left_us = limits.window_left_us();
  slot.granted = granted;
  slot.answer.retry_us = std::min(claim.lease_us, window_left_us);
  slot.lease_ends = now + std::min(lease_held_us(claim.lease_us), window_left_us - 1);
  return Replay::kAgrees;
}

// Verbs that are not refused: one slot each.
template <typename S>
Replay describe_done(const StoreClaim& claim, Limits<S>& limits, int64_t code,
                     std::span<StoreSlot> slots) {
  if (claim.verb != ScriptVerb::kRelease && code != 1) return Replay::kContradicts;
  switch (claim.verb) {
    case ScriptVerb::kCharge:
      limits.charge(claim.units, 0);
      break;
    case ScriptVerb::kRefund:
      limits.refund(claim.units);
      break;
    case ScriptVerb::kReset:
      limits.forget();
      break;
    case ScriptVerb::kRelease:
      if (!limits.release(code)) return Replay::kContradicts;
      break;
    case ScriptVerb::kCheck:
    case ScriptVerb::kPeek:
    case ScriptVerb::kAcquire:
    case ScriptVerb::kLease:
    case ScriptVerb::kReturn:
      break;
  }
  StoreSlot& slot = slots[claim.first_slot];
  slot.outcome = claim.throttle ? Outcome::kAdmitted : Outcome::kDone;
  slot.answer = limits.describe();
  return Replay::kAgrees;
}

template <typename S>
Replay describe_by(const StoreClaim& claim, bool merged, std::span<const Limit> of, int64_t code,
                   TimeUs now, PackReader& reader, std::span<StoreSlot> slots) {
  Limits<S> limits(of, now);
  if (!limits.read(reader)) return Replay::kContradicts;
  if (claim.verb == ScriptVerb::kLease) return describe_lease(claim, limits, code, now, slots);
  if (claim.verb != ScriptVerb::kCheck && claim.verb != ScriptVerb::kAcquire) {
    return describe_done(claim, limits, code, slots);
  }
  if (merged) return describe_merged(claim, limits, code, slots);
  return describe_together(claim, limits, code, slots);
}

}  // namespace

Replay describe_claim(const StoreClaim& claim, bool merged, std::span<const Limit> limits,
                      int64_t code, TimeUs now, PackReader& reader, std::span<StoreSlot> slots) {
  switch (claim.algorithm) {
    case Algorithm::kGcra:
      return describe_by<StoreState<Gcra>>(claim, merged, limits, code, now, reader, slots);
    case Algorithm::kTokenBucket:
      return describe_by<StoreState<TokenBucket>>(claim, merged, limits, code, now, reader, slots);
    case Algorithm::kSlidingLog:
      return describe_by<LogSummary>(claim, merged, limits, code, now, reader, slots);
    case Algorithm::kSlidingWindow:
      return describe_by<StoreState<SlidingWindow>>(claim, merged, limits, code, now, reader,
                                                    slots);
    case Algorithm::kFixedWindow:
      return describe_by<StoreState<FixedWindow>>(claim, merged, limits, code, now, reader, slots);
    case Algorithm::kConcurrency:
      return describe_by<TicketSummary>(claim, merged, limits, code, now, reader, slots);
  }
  return Replay::kContradicts;
}

}  // namespace toll::engine
