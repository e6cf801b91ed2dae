-- Requests in flight: the twin of engine/concurrency.cc.
--
-- A sorted set of tickets, scored by the millisecond at which they lapse. A ticket of several units
-- has as many members: "<ticket>", "<ticket>:2", "<ticket>:3" ..., so that what is in flight can be
-- counted. The key expires a little after its last ticket.
--
-- An item acts at once instead of at the end: it has one part, and what it does, Redis itself
-- remembers for the next one.

local CHUNK = 500  -- members in one command

local function new_rule(p)
  return {count = a[p + 1], ttl = a[p + 2]}
end

local function load(k, rule)
  local used = pcall('ZCOUNT', KEYS[k], '(' .. now_ms_text, '+inf')
  if type(used) ~= 'number' then return nil end
  return {key = k, rule = rule, used = used}
end

local function fit(state)
  return state
end

local function reset(state)
  call('DEL', KEYS[state.key])
  state.used = 0
end

-- When the ticket unit at `rank` from the end of the set lapses; 1 is the last to.
local function expiry_at(state, rank)
  if rank > state.used then return 0 end
  local found = call('ZRANGE', KEYS[state.key], -rank, -rank, 'WITHSCORES')
  return time_of(found[2])
end

local function report(state, _, o)
  out[o], out[o + 1], out[o + 2] = state.used, expiry_at(state, 1), 0
end

local function member_of(ticket, i)
  return i == 1 and ticket or ticket .. ':' .. i
end

-- Returns 1 when the ticket was handed out, 0 when not. REQUIRES: report() to the same place of
-- `out` just before.
local function acquire(state, rule, o, units, ttl, ticket)
  local missing = state.used + units - rule.count
  if missing > 0 then
    if units <= rule.count then out[o + 2] = expiry_at(state, state.used - missing + 1) end
    return 0
  end
  local key = KEYS[state.key]
  local expiry = now_ms + (ttl == 0 and rule.ttl or ttl)
  local expiry_text = text_of(expiry)
  call('ZREMRANGEBYSCORE', key, '-inf', now_ms_text)
  for first = 1, units, CHUNK do
    local members = {}
    for i = first, min(first + CHUNK - 1, units) do
      members[#members + 1] = expiry_text
      members[#members + 1] = member_of(ticket, i)
    end
    call('ZADD', key, unpack(members))
  end
  call('PEXPIREAT', key, text_of(max(expiry, out[o + 1]) + SLACK_MS))
  state.used = state.used + units
  return 1
end

-- Returns the units that came back: none when the ticket is unknown or has lapsed.
local function release(state, _, _, _, _, ticket)
  local key, units, chunk = KEYS[state.key], 0, 2
  while true do
    local members = {}
    for i = 1, chunk do members[i] = member_of(ticket, units + i) end
    local expiries = call('ZMSCORE', key, unpack(members))
    local held = 0
    while held < chunk and expiries[held + 1] and tonumber(expiries[held + 1]) > now_ms do
      held = held + 1
    end
    if held > 0 then call('ZREM', key, unpack(members, 1, held)) end
    units = units + held
    if held < chunk then break end
    chunk = CHUNK
  end
  state.used = state.used - units
  return units
end

return {
  width = 3, new_rule = new_rule, load = load, fit = fit, reset = reset, report = report,
  acquire = acquire, release = release,
}
