-- Gives log records back to the front of their list that were taken and never delivered: by a
-- daemon that is gone, or over a connection that broke before the answer came.
--
--   EVALSHA sha 3 queue taken takers keep|forget  ->  how many records went back
--
-- `taken` is the list they were moved to, and a member of the set `takers`, which it leaves with
-- `forget`. All three keys share the hash tag of `queue`.

local queue, taken, takers = KEYS[1], KEYS[2], KEYS[3]
local returned = 0
while redis.call('LMOVE', taken, queue, 'RIGHT', 'LEFT') do
  returned = returned + 1
end
if ARGV[1] == 'forget' then
  redis.call('SREM', takers, taken)
end
return returned
