// What one would write oneself to keep limits and budgets in Redis: scripts that decide one request
// in one call. The target `direct` is asked these; the daemon's own are others.
//
//   EVALSHA sha 1 key count window_us units  ->  {allowed, limit, remaining, retry_ms, reset_ms}
//   EVALSHA sha 1 account amount ttl_s       ->  the sum
//   EVALSHA sha 2 account holds budget amount [ttl_ms]  ->  {allowed, budget, spent, held, left}
//
// Amounts are whole nano-dollars.
#pragma once

#include <string>
#include <string_view>

#include "bench/bench_policy.h"

namespace toll::bench {

// The time at which all that was used has come back, in one string.
inline constexpr std::string_view kDirectGcra = R"(local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local count, window, units = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local interval = window / count
local back = tonumber(redis.call('GET', KEYS[1]) or now)
if back < now then back = now end
local after = back + interval * units
local left = now + window - after
if left < 0 then
  local remaining = math.max(0, math.floor((now + window - back) / interval))
  return {0, count, remaining, math.ceil(-left / 1000), math.ceil((back - now) / 1000)}
end
local reset = math.max(1, math.ceil((after - now) / 1000))
redis.call('SET', KEYS[1], string.format('%.3f', after), 'PX', reset)
return {1, count, math.floor(left / interval), 0, reset}
)";

// A sorted set with an entry for each unit admitted, its score the time in milliseconds.
inline constexpr std::string_view kDirectSlidingLog = R"(local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local count, units = tonumber(ARGV[1]), tonumber(ARGV[3])
local window = math.ceil(tonumber(ARGV[2]) / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
local used = redis.call('ZCARD', KEYS[1])
if used + units > count then
  local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  local retry = oldest[2] and oldest[2] + window - now or window
  return {0, count, count - used, retry, window}
end
for unit = 1, units do
  redis.call('ZADD', KEYS[1], now, string.format('%s%06d:%d', time[1], time[2], used + unit))
end
redis.call('PEXPIRE', KEYS[1], window * 2)
return {1, count, count - used - units, 0, window}
)";

inline constexpr std::string_view kDirectCharge =
    R"(local spent = redis.call('HINCRBY', KEYS[1], 'spent', ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return spent
)";

// Ends the holds that have lapsed, then looks at what is left: the head of the next two.
inline constexpr std::string_view kDirectBalance = R"(local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, hold in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now)) do
  redis.call('HINCRBY', KEYS[1], 'held', '-' .. string.match(hold, '%d+$'))
  redis.call('ZREM', KEYS[2], hold)
end
local account = redis.call('HMGET', KEYS[1], 'spent', 'held')
local spent, held = tonumber(account[1] or 0), tonumber(account[2] or 0)
local budget, amount = tonumber(ARGV[1]), tonumber(ARGV[2])
local left = budget - spent - held
)";

inline std::string direct_budget() {
  return std::string(kDirectBalance) +
         R"(return {left >= amount and 1 or 0, budget, spent, held, left}
)";
}

inline std::string direct_hold() {
  return std::string(kDirectBalance) +
         R"(if left < amount then return {0, budget, spent, held, left} end
local serial = redis.call('HINCRBY', KEYS[1], 'holds', 1)
redis.call('ZADD', KEYS[2], now + ARGV[3], serial .. ':' .. ARGV[2])
redis.call('HINCRBY', KEYS[1], 'held', ARGV[2])
return {1, budget, spent, held + amount, left - amount, serial}
)";
}

constexpr std::string_view direct_script(Algorithm algorithm) {
  return algorithm == Algorithm::kGcra ? kDirectGcra : kDirectSlidingLog;
}

}  // namespace toll::bench
