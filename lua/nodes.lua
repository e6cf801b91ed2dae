-- The heartbeat: which daemons of the fleet are alive.
--
--   EVALSHA sha 1 key node life_ms word     ->  the number of daemons alive
--
-- The key is a sorted set of daemons' names by when they were last heard of, in milliseconds of
-- Redis' clock. `word` is "here", at every beat: the daemon is put down as heard of now, and those
-- not heard of for longer than `life_ms` are taken out. Or it is "leave": the daemon is taken out.
-- The key outlives the last beat by ten lives. The script touches nothing but this key.

local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local key, node, life_ms, word = KEYS[1], ARGV[1], tonumber(ARGV[2]), ARGV[3]

if word == 'leave' then
  redis.call('ZREM', key, node)
  return redis.call('ZCARD', key)
end
if word ~= 'here' or not life_ms or life_ms < 1 then
  return redis.error_reply('ERR a node says here or leave, and how long it lives')
end

-- A clock that stepped back leaves daemons in the future, who would live on for as long as the step
-- when they are dead. So whoever is further ahead than a life is taken out as well; those who do
-- live come again with their next beat.
redis.call('ZADD', key, string.format('%.0f', now_ms), node)
redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('(%.0f', now_ms - life_ms))
redis.call('ZREMRANGEBYSCORE', key, string.format('(%.0f', now_ms + life_ms), '+inf')
redis.call('PEXPIRE', key, string.format('%.0f', 10 * life_ms))
return redis.call('ZCARD', key)
