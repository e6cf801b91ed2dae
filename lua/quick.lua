-- The items that most requests are: checks of one limit of gcra, of which a unit costs whole
-- microseconds, or of one unit of a sliding_log, under keys that no other item of the batch names.
-- They come first, as three numbers each, with their keys in their order:
--
--   rule, counted from 0; cost in microseconds (gcra) or 1 to renew the expiry (sliding_log); times
--
-- And leases of one limit of gcra, likewise: the cost below 0, and its hold * 2^21 + times. And
-- returns: the cost of all units below 0, and when it ends, below 0 too.
--
-- Decided as gcra.lua and sliding_log.lua would, but written on the spot, and without a state for
-- each. That, and that nothing else is made ready before, is a third of the work. An item with a
-- key that holds anything unusual is put behind the general ones, with its place in the reply
-- kept.

local find, format, concat = string.find, string.format, table.concat
local quick_strings = a[2]
local digits, absent = false, nil

-- One that MGET finds no string in is either not there or holds something else, of which only
-- EXISTS knows.
if quick_strings > 0 then
  raw = call('MGET', unpack(KEYS, 1, quick_strings))
  for k = 1, quick_strings do
    local text = raw[k]
    if not text or text == '' then
      raw[k] = ''
      absent = absent or {}
      absent[#absent + 1] = KEYS[k]
    end
  end
  digits = find(concat(raw), '^%d*$') ~= nil
  if absent and call('EXISTS', unpack(absent)) > 0 then absent = nil end
end

-- Of 16 digits, as times are until the year 2286, and none of them a zero in front.
local TEXT_LEAST = 1000000000000000

local p, k, l = 6 + 8 * a[4], 1, a[3] + 1
local now_ms, now_ms_text, names, seq, name
local try, gones = redis.pcall, {}

local function add_members(key, n)
  local i = 0
  while n > 0 do
    local members = {}
    for j = 1, n < 500 and n or 500 do
      members[2 * j - 1], members[2 * j] = now_ms_text, names .. (seq + i)
      i = i + 1
    end
    -- Names that are there already add nothing; those behind them do.
    n = n - call('ZADD', key, 'NX', unpack(members))
  end
end

local function ms_at(key, rank)
  local score = tonumber(call('ZRANGE', key, -rank, -rank, 'WITHSCORES')[2]) or 0
  if score < 0 then return 0 end
  return math.floor(score < 9007199254740 and score or 9007199254740)
end

for _ = 1, a[1] do
  local r, times = 6 + 8 * a[p], a[p + 2]
  if a[r] == 0 then
    local text, cost, hold = raw[k], a[p + 1], 0
    local old, ends = 0, nil
    if cost < 0 then
      cost = -cost
      if times < 0 then
        ends, times = -times, 1
      else
        hold = times
        times = times % 2097152
        hold = (hold - times) / 2097152
      end
    end
    if text ~= '' then old = digits and #text == 16 and text + 0 or -1 end
    if not (old >= TEXT_LEAST or (text == '' and absent)) then
      later[#later + 1] = {o, times, a[p], k, cost, 0, hold, ends}
      raw[k] = text ~= '' and text or call('EXISTS', KEYS[k]) == 1 and '!'
    elseif ends then
      out[o], out[o + 1], out[o + 2] = now > ends and 0 or 1, old, 0
      if now <= ends and old > now then
        call('INCRBY', KEYS[k], format('%d', old - cost < now and now - old or -cost))
      end
    else
      local tat = old < now + hold and now + hold or old
      local left, n = now + a[r + 2] - tat, times
      if left < cost * times then n = left < cost and 0 or (left - left % cost) / cost end
      out[o], out[o + 1], out[o + 2] = n, old, 0
      if n > 0 then
        if hold > 0 then out[o + 1] = tat end
        tat = tat + n * cost
        -- As gcra.lua has it: the expiry is moved when the time enters a later quantum.
        local quantum = tat - tat % 64000000
        if old >= quantum then
          call('INCRBY', KEYS[k], format('%d', tat - old))
        else
          call('SET', KEYS[k], format('%d', tat), 'PXAT', format('%d', quantum / 1000 + 128000))
        end
      end
    end
    k, o = k + 1, o + 3
  else
    if not name then
      now_ms = (now - now % 1000) / 1000
      now_ms_text = format('%d', now_ms)
      names = now_ms_text .. ':'
      -- Far from the small numbers that others give, who would take our member for theirs.
      seq = (now % 1000 + 1) * 1000000
      name = names .. seq
    end
    local key, count, window = KEYS[l], a[r + 1], a[r + 2]
    local gone = gones[r]
    if not gone then
      gone = format('%d', now_ms - window)
      gones[r] = gone
    end
    local stored = try('ZCARD', key)
    if type(stored) ~= 'number' then
      out[o], out[o + 1], out[o + 2], out[o + 3] = -1, 0, 0, 0
    else
      local used, n, trimmed = stored, times, true
      if stored + times <= count then
        -- Admitted in any case. To remove what has left the window also counts the rest, and costs
        -- less than counting: a short sorted set is a list that ZCOUNT walks along.
        if stored > 0 then used = stored - call('ZREMRANGEBYSCORE', key, '-inf', gone) end
      else
        used, trimmed = call('ZCOUNT', key, '(' .. gone, '+inf'), false
        if count - used < n then n = count - used end
        if n < 0 then n = 0 end
      end
      out[o], out[o + 1], out[o + 2], out[o + 3] = n, used, 0, 0
      if n == 0 then out[o + 2] = ms_at(key, 1) end
      if n < times then
        local place = used + n + 1 - count
        out[o + 3] = place > used and now_ms or ms_at(key, used - place + 1)
      end
      if n > 0 then
        if not trimmed then call('ZREMRANGEBYSCORE', key, '-inf', gone) end
        if n > 1 or call('ZADD', key, 'NX', now_ms_text, name) == 0 then add_members(key, n) end
        if a[p + 1] == 1 or used == 0 then call('PEXPIRE', key, format('%d', 2 * window)) end
      end
    end
    l, o = l + 1, o + 4
  end
  p = p + 3
end
