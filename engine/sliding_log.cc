#include "engine/sliding_log.h"

#include <algorithm>
#include <cassert>

#include "engine/limits.h"

namespace toll::engine {
namespace {

constexpr uint32_t kUnitsBits = 20;
static_assert(kEntryUnitsMax == (int64_t{1} << kUnitsBits) - 1);
static_assert(kTimeMaxUs / kUsPerMs < int64_t{1} << (64 - kUnitsBits));
// All that a log can hold fits one entry, and its length the queue's counter.
static_assert(kSlidingLogCountMax + kSlidingLogDebtMax <= kEntryUnitsMax);

uint64_t entry_of(int64_t at_ms, int64_t units) {
  assert(at_ms >= 0 && units > 0 && units <= kEntryUnitsMax);
  return static_cast<uint64_t>(at_ms) << kUnitsBits | static_cast<uint64_t>(units);
}
int64_t ms_of(uint64_t entry) {
  return static_cast<int64_t>(entry >> kUnitsBits);
}
int64_t units_of(uint64_t entry) {
  return static_cast<int64_t>(entry & kEntryUnitsMax);
}

int64_t window_ms(const Limit& limit) {
  return limit.window_us / kUsPerMs;
}

// The time to decide at: never before the newest entry.
int64_t effective_ms(BlockStore& store, const SlidingLog::State& state, TimeUs now) {
  const int64_t now_ms = now / kUsPerMs;
  return state.entries.empty() ? now_ms : std::max(now_ms, ms_of(state.entries.back(store)));
}

// The wait, in whole milliseconds, until an entry of `at_ms` no longer counts.
int64_t leaves_in_us(const Limit& limit, int64_t at_ms, TimeUs now) {
  return (at_ms + window_ms(limit) - now / kUsPerMs) * kUsPerMs;
}

}  // namespace

void SlidingLog::advance(BlockStore& store, const Limit& limit, State& state, TimeUs now) {
  if (state.entries.empty()) return;
  const int64_t newest_ms = ms_of(state.entries.back(store));
  const int64_t gone_ms = std::max(now / kUsPerMs, newest_ms) - window_ms(limit);
  if (newest_ms <= gone_ms) return clear(store, state);
  for (uint64_t oldest = state.entries.front(store); ms_of(oldest) <= gone_ms;
       oldest = state.entries.front(store)) {
    state.used -= static_cast<uint32_t>(units_of(oldest));
    state.entries.pop_front(store);
  }
}

bool SlidingLog::admits(const Limit& limit, const State& state, TimeUs, int64_t units) {
  return units <= limit.count - int64_t{state.used};
}

void SlidingLog::charge(BlockStore& store, const Limit& limit, State& state, TimeUs now,
                        int64_t units) {
  const int64_t room = limit.count + kSlidingLogDebtMax - int64_t{state.used};
  units = std::min(units, std::max(room, int64_t{0}));
  if (units == 0) return;
  state.used += static_cast<uint32_t>(units);

  const int64_t at_ms = effective_ms(store, state, now);
  if (!state.entries.empty() && ms_of(state.entries.back(store)) == at_ms) {
    assert(units_of(state.entries.back(store)) + units <= kEntryUnitsMax);
    state.entries.back(store) += static_cast<uint64_t>(units);
  } else {
    state.entries.push_back(store, entry_of(at_ms, units));
  }
}

void SlidingLog::refund(BlockStore& store, const Limit&, State& state, TimeUs, int64_t units) {
  while (units > 0 && !state.entries.empty()) {
    uint64_t& newest = state.entries.back(store);
    const int64_t part = std::min(units, units_of(newest));
    units -= part;
    state.used -= static_cast<uint32_t>(part);
    if (part == units_of(newest)) {
      state.entries.pop_back(store);
    } else {
      newest -= static_cast<uint64_t>(part);
    }
  }
}

int64_t SlidingLog::remaining(const Limit& limit, const State& state, TimeUs) {
  return limit.count - int64_t{state.used};
}

int64_t SlidingLog::retry_us(const BlockStore& store, const Limit& limit, const State& state,
                             TimeUs now, int64_t units) {
  if (units > limit.count) return kNever;
  int64_t missing = int64_t{state.used} + units - limit.count;
  if (missing <= 0) return 0;
  int64_t at_ms = 0;
  state.entries.walk(store, [&](uint64_t entry) {
    at_ms = ms_of(entry);
    missing -= units_of(entry);
    return missing > 0;
  });
  return leaves_in_us(limit, at_ms, now);
}

int64_t SlidingLog::reset_us(BlockStore& store, const Limit& limit, const State& state,
                             TimeUs now) {
  if (state.entries.empty()) return 0;
  return leaves_in_us(limit, ms_of(state.entries.back(store)), now);
}

bool SlidingLog::idle(const Limit&, const State& state, TimeUs) {
  return state.used == 0;
}

// Entries are as good under any limit: the next advance() drops those that a shorter window no
// longer sees.
void SlidingLog::carry(const Limit&, const Limit&, State&, TimeUs) {}

void SlidingLog::clear(BlockStore& store, State& state) {
  state.entries.clear(store);
  state.used = 0;
}

}  // namespace toll::engine
