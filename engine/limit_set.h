// The limits of one key while it is being decided on: their states out of the key's blocks, brought
// to now, asked and charged together, all or nothing, and put back.
//
// LimitSet<A, 1> is the same for policies of one limit, with the loops gone. The states are copies:
// between the constructor and save(), nobody else may change the key. Internal to the shard; its
// thread alone.
#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "engine/calendar.h"
#include "engine/key_record.h"
#include "engine/rule_book.h"
#include "engine/types.h"

namespace toll::engine {

template <typename A, size_t kMax>
class LimitSet {
 public:
  static constexpr bool kTickets = std::is_same_v<A, Concurrency>;
  static constexpr bool kEntries = kHasEntries<A>;

  // `key` is null for a key that is not there: all its states are fresh.
  LimitSet(BlockStore& store, const Rules& rules, const KeyHeader* key, TimeUs now)
      : store_(store), limits_(rules.limits), now_(now) {
    assert(kMax > 1 || limits_.size() == 1);
    if (key != nullptr) load_states<A>(store_, *key, {states_.data(), size()});
    if constexpr (std::is_same_v<A, Gcra>) {
      // CL.THROTTLE may bring another count each time, and the fraction has the count as its
      // measure.
      if (rules.policy == kThrottlePolicy) [[unlikely]] {
        const auto most = static_cast<uint32_t>(limits_[0].count - 1);
        states_[0].tat_fraction = std::min(states_[0].tat_fraction, most);
      }
    }
    for (size_t i = 0; i < size(); ++i) {
      if constexpr (kHasEntries<A>) {
        A::advance(store_, limits_[i], states_[i], now_);
      } else {
        A::advance(limits_[i], states_[i], now_);
      }
    }
  }

  size_t size() const { return kMax == 1 ? 1 : limits_.size(); }

  void save(KeyHeader& key) const { store_states<A>(store_, key, {states_.data(), size()}); }

  bool admits(int64_t units) const {
    for (size_t i = 0; i < size(); ++i) {
      if (!A::admits(limits_[i], states_[i], now_, units)) return false;
    }
    return true;
  }

  // REQUIRES for kHasEntries<A>: a block reserved for each limit; for tickets: admits().
  void charge(int64_t units, [[maybe_unused]] int64_t ttl_us, [[maybe_unused]] uint64_t ticket) {
    for (size_t i = 0; i < size(); ++i) {
      if constexpr (kTickets) {
        A::acquire(store_, limits_[i], states_[i], now_, units, ttl_us, ticket);
      } else {
        charge(i, units);
      }
    }
  }

  // Whether use_up() would change anything.
  bool can_use(int64_t units) const {
    if constexpr (kTickets) {
      return admits(units);
    } else {
      for (size_t i = 0; i < size(); ++i) {
        if (A::remaining(limits_[i], states_[i], now_) > 0) return true;
      }
      return false;
    }
  }

  // Uses `units` of each limit, or what is left of it. REQUIRES: as charge(); for tickets
  // can_use().
  void use_up(int64_t units, [[maybe_unused]] int64_t ttl_us, [[maybe_unused]] uint64_t ticket) {
    for (size_t i = 0; i < size(); ++i) {
      if constexpr (kTickets) {
        A::acquire(store_, limits_[i], states_[i], now_, units, ttl_us, ticket);
      } else {
        const int64_t left = A::remaining(limits_[i], states_[i], now_);
        if (left > 0) charge(i, std::min(units, left));
      }
    }
  }

  void refund(int64_t units) {
    for (size_t i = 0; i < size(); ++i) refund(i, units);
  }

  // A window that began after the charge has nothing of it: to give units back there would admit
  // others too many.
  void undo(int64_t units, [[maybe_unused]] TimeUs charged_at) {
    for (size_t i = 0; i < size(); ++i) {
      if constexpr (std::is_same_v<A, FixedWindow> || std::is_same_v<A, SlidingWindow>) {
        if (window_at(limits_[i], charged_at / kUsPerMs).start_ms < states_[i].start_ms) continue;
      }
      refund(i, units);
    }
  }

  void release(uint64_t ticket) {
    for (size_t i = 0; i < size(); ++i) A::release(store_, states_[i], ticket);
  }

  // The limit with the least remaining speaks, the first of equals.
  Answer describe() const {
    size_t least = 0;
    int64_t remaining = A::remaining(limits_[0], states_[0], now_);
    for (size_t i = 1; i < size(); ++i) {
      const int64_t of_this = A::remaining(limits_[i], states_[i], now_);
      if (of_this >= remaining) continue;
      remaining = of_this;
      least = i;
    }
    return {most(least), remaining, 0, reset_us(least)};
  }

  // The refusing limit that must be waited for longest speaks; never is longest. REQUIRES:
  // !admits().
  Answer describe_refusal(int64_t units) const {
    size_t longest = 0;
    int64_t longest_us = 0;
    for (size_t i = 0; i < size() && longest_us != kNever; ++i) {
      const int64_t wait_us = retry_us(i, units);
      if (wait_us != kNever && wait_us <= longest_us) continue;
      longest_us = wait_us;
      longest = i;
    }
    return {most(longest), A::remaining(limits_[longest], states_[longest], now_), longest_us,
            reset_us(longest)};
  }

  // The wait until a single unit can be admitted.
  int64_t wait_for_one_us() const {
    int64_t longest_us = 0;
    for (size_t i = 0; i < size(); ++i) longest_us = std::max(longest_us, retry_us(i, 1));
    return longest_us;
  }

 private:
  static constexpr bool kBursts = std::is_same_v<A, Gcra> || std::is_same_v<A, TokenBucket>;

  void charge(size_t i, int64_t units) {
    if constexpr (kHasEntries<A>) {
      A::charge(store_, limits_[i], states_[i], now_, units);
    } else {
      A::charge(limits_[i], states_[i], now_, units);
    }
  }

  void refund(size_t i, int64_t units) {
    if constexpr (kHasEntries<A>) {
      A::refund(store_, limits_[i], states_[i], now_, units);
    } else {
      A::refund(limits_[i], states_[i], now_, units);
    }
  }

  int64_t most(size_t i) const { return kBursts ? limits_[i].burst : limits_[i].count; }

  int64_t retry_us(size_t i, int64_t units) const {
    if constexpr (kHasEntries<A>) {
      return A::retry_us(store_, limits_[i], states_[i], now_, units);
    } else {
      return A::retry_us(limits_[i], states_[i], now_, units);
    }
  }

  int64_t reset_us(size_t i) const {
    if constexpr (kHasEntries<A>) {
      return A::reset_us(store_, limits_[i], states_[i], now_);
    } else {
      return A::reset_us(limits_[i], states_[i], now_);
    }
  }

  BlockStore& store_;
  std::span<const Limit> limits_;
  TimeUs now_;
  std::array<typename A::State, kMax> states_{};
};

// Calls with(LimitSet<A, n>) type tag for the algorithm and for one limit or for several.
template <typename A, size_t kMax>
struct LimitSetTag {
  using Algorithm = A;
  using Set = LimitSet<A, kMax>;
};

template <typename With>
decltype(auto) with_limit_set(const Rules& rules, With&& with) {
  return with_algorithm(rules.algorithm, [&](auto algorithm) -> decltype(auto) {
    using A = decltype(algorithm);
    if (rules.limits.size() == 1) return with(LimitSetTag<A, 1>{});
    return with(LimitSetTag<A, kLimitsPerPolicyMax>{});
  });
}

}  // namespace toll::engine
