// Every bound of the engine in one place. Tests that want the rare path to be the common one pass
// smaller figures through Shard::Settings; the figures here are the production ones and the
// ceilings.
#pragma once

#include <cstddef>
#include <cstdint>

namespace toll::engine {

// Units in one request: PROTOCOL's "1 to 2^31-1".
inline constexpr int64_t kUnitsMax = (int64_t{1} << 31) - 1;

// CHARGE may run `remaining` below zero, down to this many units of debt and no further: without a
// floor repeated charges would overflow, and nobody waits that long for a refill anyway.
inline constexpr int64_t kDebtUnitsMax = kUnitsMax;

// The highest count (or burst) of one limit.
inline constexpr int64_t kLimitCountMax = kUnitsMax;

// A sliding log keeps an entry per admitted request and a concurrency limit one per ticket, so
// their counts bound a key's memory. 2^20 - 1 is also what fits beside a time stamp in one 64-bit
// word.
inline constexpr int64_t kEntryUnitsMax = (int64_t{1} << 20) - 1;
inline constexpr int64_t kSlidingLogCountMax = 100'000;
// How far CHARGE may run a sliding log into debt: in Redis each unit of it is a member of a set.
inline constexpr int64_t kSlidingLogDebtMax = 100'000;
inline constexpr int64_t kConcurrencyLimitMax = 65'536;

inline constexpr int64_t kWindowMinUs = 1'000;                          // 1 ms
inline constexpr int64_t kWindowMaxUs = 366LL * 24 * 3600 * 1'000'000;  // a leap year

// Times are microseconds since the Unix epoch and stay below 2^53, because the same figures pass
// through Lua numbers inside Redis. That is the year 2255.
inline constexpr int64_t kTimeMaxUs = (int64_t{1} << 53) - 1;

// The longest that a full burst may take to come back: a century. A gcra key in use holds a time
// that far ahead, which must stay on the time line (until the year 2155, with this figure).
inline constexpr int64_t kRefillMaxUs = 36'525LL * 24 * 3600 * 1'000'000;

// Limits are checked against kRefillMaxUs before anything is decided by them. Should one slip
// through, it is cut to this: far below what 64 bits hold, so that such a limit refuses but never
// overflows.
inline constexpr int64_t kToleranceMaxUs = int64_t{1} << 60;

inline constexpr size_t kLimitsPerPolicyMax = 8;
inline constexpr size_t kPoliciesMax = 4096;  // over the life of the process, removed ones included
inline constexpr size_t kPolicyNameMax = 64;

inline constexpr size_t kIdMax = 512;  // bytes of an id

// The longest log record.
inline constexpr size_t kLogRecordMax = size_t{60} << 10;

static_assert(kRefillMaxUs >= kWindowMaxUs && kRefillMaxUs < kTimeMaxUs / 2);
static_assert(kToleranceMaxUs > kTimeMaxUs);
// A key that expired is left for so long after it was last used: one that comes back every second,
// as most do, need not be made anew each time. Where memory is short it goes at once.
inline constexpr uint32_t kWarmSeconds = 5;

// The id under which the keys of CL.THROTTLE are filed, whose limits come with each request.
inline constexpr uint16_t kThrottlePolicy = UINT16_MAX;

// The same for accounts, and for idempotency keys of charges.
inline constexpr uint16_t kAccountKeys = UINT16_MAX - 1;
inline constexpr uint16_t kChargeKeys = UINT16_MAX - 2;

static_assert(kPoliciesMax < kChargeKeys);
static_assert(kSlidingLogCountMax + kSlidingLogDebtMax <= kEntryUnitsMax);
static_assert(kConcurrencyLimitMax <= kEntryUnitsMax);

}  // namespace toll::engine
