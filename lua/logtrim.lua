-- What follows an RPUSH of log records: the list is cut to its length, and what was pushed is noted
-- under the name of who pushed, so that a push whose answer was lost is not made again.
--
--   EVALSHA sha 2 queue mark max note  ->  how many records were dropped
--
-- The mark is a string, "<note> <dropped>", kept for a day; the note is "<token> <number>" of the
-- push. The oldest records are dropped.

local queue, mark = KEYS[1], KEYS[2]
local max, note = tonumber(ARGV[1]), ARGV[2]
if not max or max < 1 or not note then
  return redis.error_reply('ERR a length and a note must be given')
end
local length = redis.call('LLEN', queue)
local dropped = 0
if length > max then
  dropped = length - max
  redis.call('LTRIM', queue, -max, -1)
end
redis.call('SET', mark, note .. ' ' .. dropped, 'PX', 86400000)
return dropped
