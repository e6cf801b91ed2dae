-- The exact rolling window: the twin of engine/sliding_log.cc.
--
-- A sorted set with a member for each unit, scored by the millisecond at which it was used and
-- named "<ms>:<seq>": the layout that gateways beside us read and write. Members inside of the
-- window are the newest of the set, so they are found by rank, from the end.
--
-- To count is one ZCOUNT and to use is one ZADD. What has left the window is removed, and the
-- expiry of two windows renewed, when nothing was left in the window or the caller asks for it,
-- which it does once in half a window: so a member lives for a window and a half at least.
--
-- A clock that stepped back counts what lies ahead of it as well, and thus admits no more.

local CHUNK = 500  -- members in one ZADD

-- The first member of a call is named after the microsecond within the millisecond, which keeps it
-- short; those behind it are told apart by a number.
local names = now_ms_text .. ':'
local us = now - now_ms * 1000
local first_name = names .. us
local seq = (us + 1) * 1000000

local function new_rule(p)
  local window = a[p + 2]
  return {
    count = a[p + 1], window = window, debt = a[p + 3], after = '(' .. text_of(now_ms - window),
  }
end

local function load(k, rule)
  local stored = pcall('ZCOUNT', KEYS[k], rule.after, '+inf')
  if type(stored) ~= 'number' then return nil end
  -- stored: members in the window; of the newest of them so many will be removed, then pending
  -- ones added.
  return {
    key = k, rule = rule, dirty = false, stored = stored, removed = 0, pending = 0, used = stored,
    keep = rule.window,
  }
end

-- For a limit with another window, which sees others of what is stored.
local function fit(state, rule)
  if not state.gone then state.stored = call('ZCOUNT', KEYS[state.key], rule.after, '+inf') end
  state.used = max(state.stored - state.removed, 0) + state.pending
  state.keep = max(state.keep, rule.window)
  return state
end

local function fits(state, rule, units, _, times)
  local left = rule.count - state.used
  if left < units then return 0 end
  return times == 1 and 1 or min(times, floor(left / units))
end

local function use(state, _, units, renew, n)
  units = units * n
  state.used, state.pending = state.used + units, state.pending + units
  if renew == 1 then state.renew = true end
end

local function charge(state, rule, units, renew)
  units = min(units, max(rule.count + rule.debt - state.used, 0))
  use(state, rule, units, renew, 1)
  return units > 0
end

local function refund(state, _, units)
  units = min(units, state.used)
  local of_pending = min(units, state.pending)
  state.used, state.pending = state.used - units, state.pending - of_pending
  state.removed = state.removed + units - of_pending
  return units > 0
end

local function reset(state)
  state.stored, state.removed, state.pending, state.used, state.gone = 0, 0, 0, 0, true
end

-- The time of the member at `rank` from the end of the set; 1 is the newest.
local function ms_at(state, rank)
  local found = call('ZRANGE', KEYS[state.key], -rank, -rank, 'WITHSCORES')
  return time_of(found[2])
end

local function newest_ms(state)
  if state.used == 0 then return 0 end
  if state.pending > 0 then return now_ms end
  return ms_at(state, state.removed + 1)
end

-- The unit that must leave before `units` fit, with `admitted` more used by then.
local function blocker_ms(state, rule, units, admitted)
  if units > rule.count then return 0 end
  local place = state.used + admitted + units - rule.count
  if place > state.stored - state.removed then return now_ms end
  return ms_at(state, state.stored - place + 1)
end

local function report(state, rule, o, admitted, refused)
  out[o] = state.used
  out[o + 1] = admitted == 0 and newest_ms(state) or 0
  out[o + 2] = refused and blocker_ms(state, rule, refused, admitted) or 0
end

-- Adds the pending members. A name that is there already, from another gateway or from before the
-- clock stepped back, adds nothing; then names go on behind as many as have this millisecond.
local function add(key, pending)
  local i, past = 0, false
  while pending > 0 do
    local n = min(pending, CHUNK)
    local members = {}
    for j = 1, n do
      members[2 * j - 1], members[2 * j] = now_ms_text, names .. (seq + i)
      i = i + 1
    end
    local added = call('ZADD', key, 'NX', unpack(members))
    pending = pending - added
    if added < n and not past then
      i, past = i + call('ZCOUNT', key, now_ms_text, now_ms_text), true
    end
  end
end

local function save(state)
  local key, pending = KEYS[state.key], state.pending
  if state.gone then call('DEL', key) end
  if state.removed > 0 then call('ZREMRANGEBYRANK', key, -state.removed, -1) end
  if pending == 0 then return end
  -- A set that lost its last member is gone, and its expiry with it.
  local renew = state.renew or state.stored <= state.removed
  if renew then call('ZREMRANGEBYSCORE', key, '-inf', text_of(now_ms - state.keep)) end
  if pending > 1 or call('ZADD', key, 'NX', now_ms_text, first_name) == 0 then add(key, pending) end
  if renew then call('PEXPIRE', key, text_of(2 * state.keep)) end
end

return {
  width = 3, new_rule = new_rule, load = load, fit = fit, fits = fits, use = use, charge = charge,
  refund = refund, reset = reset, report = report, save = save,
}
