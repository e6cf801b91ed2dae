-- Generic cell rate algorithm: the twin of engine/gcra.cc.
--
-- A key holds the theoretical arrival time as text: "<microseconds>", or
-- "<microseconds>:<fraction>" with the fraction over the limit's count.
--
-- Setting an expiry at each write would cost more than all the rest. So a key's expiry lies at
-- least one quantum past the quantum of its time, and is only moved when the time enters a later
-- quantum: a key always outlives its time by a quantum at least, and a write in between leaves the
-- expiry alone. What is whole before and after is then one INCRBY, the cheapest write there is.

local PAIR = WHOLE .. ':' .. WHOLE

local expiries = {}

local function expiry_of(tat)
  local quantum = floor(tat / QUANTUM_US)
  local text = expiries[quantum]
  if not text then
    text = text_of((quantum + 2) * QUANTUM_MS)
    expiries[quantum] = text
  end
  return text
end

local function new_rule(p)
  local rule = {
    count = a[p + 1], tolerance = a[p + 2], tolerance_part = a[p + 3],
    debt = a[p + 4], debt_part = a[p + 5],
  }
  rule.tolerated = now + rule.tolerance
  return rule
end

local function fit(state, rule)
  -- CL.THROTTLE may bring another count each time, and the fraction has the count as its measure.
  if state.part >= rule.count then state.part = rule.count - 1 end
  return state
end

local function load(k, rule)
  local text = raw[k]
  if not text then  -- then quick.lua has not written it either
    return {key = k, rule = rule, dirty = false, tat = 0, part = 0, old_tat = false, old_part = 0}
  end
  local part = 0
  local tat = whole_number(text)
  if not tat then
    local tat_text, part_text = match(text, '^(%d+):(%d+)$')
    tat, part = whole_number(tat_text), whole_number(part_text)
    if not (tat and part) then return nil end
  end
  local state = {
    key = k, rule = rule, dirty = false, tat = tat, part = part, old_tat = tat, old_part = part,
  }
  return part == 0 and state or fit(state, rule)
end

local function hold(state, _, us)
  local tat, part = state.tat, state.part
  if tat < now + us then state.tat, state.part = now + us, 0 end
  return tat, part
end

local function let_go(state, tat, part)
  state.tat, state.part = tat, part
end

-- What is left of the tolerance, whole and part; negative when it is overrun.
local function left_of(state, rule)
  local tat = state.tat
  if tat < now then return rule.tolerance, rule.tolerance_part end
  local left, part = rule.tolerated - tat, rule.tolerance_part - state.part
  if part < 0 then return left - 1, part + rule.count end
  return left, part
end

local function fits(state, rule, cost, part, times)
  local left, left_part = left_of(state, rule)
  if part == 0 then
    if left < cost then return 0 end
    return times == 1 and 1 or min(times, floor(left / cost))
  end
  local n = 0
  -- Most of many at once, and short of the last ones, which are counted one by one.
  if times > 16 and cost < left then
    n = max(min(times, floor(left / (cost + part / rule.count)) - 2), 0)
    local whole = floor(n * part / rule.count)
    left, left_part = left - n * cost - whole, left_part - (n * part - whole * rule.count)
    if left_part < 0 then left, left_part = left - 1, left_part + rule.count end
  end
  while n < times and (cost < left or cost == left and part <= left_part) do
    n = n + 1
    left, left_part = left - cost, left_part - part
    if left_part < 0 then left, left_part = left - 1, left_part + rule.count end
  end
  return n
end

local function use(state, rule, cost, part, n)
  local tat = state.tat
  if tat < now then
    tat = now
    state.part = 0
  end
  tat = tat + n * cost
  if part ~= 0 or state.part ~= 0 then
    part = state.part + n * part
    local carry = floor(part / rule.count)
    tat = tat + carry
    state.part = part - carry * rule.count
  end
  state.tat = tat
end

-- The latest time that debt may reach.
local function debt_end(rule)
  local whole, part = rule.debt, rule.tolerance_part + rule.debt_part
  if part >= rule.count then whole, part = whole + 1, part - rule.count end
  if whole >= TOP - rule.tolerated then return max(rule.tolerated, TOP), 0 end
  return rule.tolerated + whole, part
end

-- Sums are compared before they are formed, since a cost alone may be as long as the time line.
local function charge(state, rule, cost, part)
  local start, start_part = max(state.tat, now), state.tat < now and 0 or state.part
  local last, last_part = debt_end(rule)
  local room, room_part = last - start, last_part - start_part
  if room_part < 0 then room, room_part = room - 1, room_part + rule.count end
  if room < 0 then return false end
  if cost < room or cost == room and part <= room_part then
    use(state, rule, cost, part, 1)
  else
    state.tat, state.part = last, last_part
  end
  return true
end

local function refund(state, rule, cost, part)
  if state.tat < now or state.tat == now and state.part == 0 then return false end
  local tat
  tat, part = state.tat - cost, state.part - part
  if part < 0 then tat, part = tat - 1, part + rule.count end
  if tat < now then tat, part = now, 0 end
  state.tat, state.part = tat, part
  return true
end

local function reset(state)
  state.tat, state.part = 0, 0
end

local function report(state, _, o)
  out[o], out[o + 1] = state.tat, state.part
end

local function save(state)
  local key, tat, part = KEYS[state.key], state.tat, state.part
  local old_tat = state.old_tat
  if tat == 0 then
    if old_tat then call('DEL', key) end
  elseif not old_tat or floor(tat / QUANTUM_US) > floor(old_tat / QUANTUM_US) then
    local text = part == 0 and text_of(tat) or format(PAIR, tat, part)
    call('SET', key, text, 'PXAT', expiry_of(tat))
  elseif part ~= 0 or state.old_part ~= 0 then
    local text = part == 0 and text_of(tat) or format(PAIR, tat, part)
    call('SET', key, text, 'KEEPTTL')
  elseif tat ~= old_tat then
    call('INCRBY', key, text_of(tat - old_tat))
  end
end

return {
  width = 2, new_rule = new_rule, load = load, fit = fit, fits = fits, use = use, charge = charge,
  refund = refund, reset = reset, report = report, save = save, hold = hold, let_go = let_go,
}
