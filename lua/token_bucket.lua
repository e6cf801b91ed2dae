-- Token bucket: the twin of engine/token_bucket.cc.
--
-- Two keys that gateways read and write too: `:tokens`, the tokens there are, as decimal text, and
-- `:last`, the time of the last refill in milliseconds, with the microseconds behind the point. A
-- missing one is a full bucket. The expiry is set with each write, because a gateway's own may be
-- shorter than the state needs.
--
-- Kept in memory as in C++: whole tokens short of full, and of the first of them the part that is
-- there already, as a numerator over the window in microseconds. That part is written with fifteen
-- digits, of which the numerator comes back exactly by rounding: windows are below 2^45
-- microseconds, so the error is below a tenth.

local mul_add_div = new_mul_add_div()

local NUMBER = '^[+-]?[%d.]+[eE]?[+-]?%d*$'  -- no hex, inf or nan, which tonumber() would take

local function new_rule(p)
  return {count = a[p + 1], burst = a[p + 2], window = a[p + 3], debt = a[p + 4]}
end

-- Tokens as text to a whole number and a numerator over the window; nil: not a number, or too large
-- to be one of tokens.
local function tokens_of(text, window)
  local sign, whole_text, digits = match(text, '^(-?)(%d+)%.?(%d*)$')
  local whole, part
  if whole_text then
    whole = tonumber(whole_text)
    part = tonumber('0.' .. digits .. '0')
    if sign == '-' then whole, part = -whole, -part end
  else
    local tokens = find(text, NUMBER) and tonumber(text)
    if not tokens then return nil end
    whole = floor(tokens)
    part = tokens - whole
  end
  if whole > TOP or whole < -TOP then return nil end
  part = floor(part * window + 0.5)
  if part < 0 then return whole - 1, part + window end
  if part >= window then return whole + 1, 0 end
  return whole, part
end

-- The time as text in milliseconds to microseconds.
local function last_of(text)
  local whole, digits = match(text, '^(%d+)%.?(%d*)$')
  local last
  if whole then
    last = tonumber(whole) * 1000 + tonumber(string.sub(digits .. '000', 1, 3))
  else
    last = find(text, NUMBER) and tonumber(text)
    if not last then return nil end
    last = floor(last * 1000)
  end
  return last >= 0 and last <= TOP and last or nil
end

local function advance(state, rule)
  if now <= state.last then return end
  local elapsed = now - state.last
  state.last = now
  if state.missing == 0 then return end
  local refilled, part = mul_add_div(elapsed, rule.count, state.part, rule.window)
  if refilled >= state.missing then
    state.missing, state.part = 0, 0
  else
    state.missing, state.part = state.missing - refilled, part
  end
end

local function load(k, rule)
  local tokens_text, last_text = raw[k], raw[k + 1]
  local state = {
    key = k, rule = rule, dirty = false, missing = 0, part = 0, last = now, window = rule.window,
  }
  local tokens, part, last = rule.burst, 0, now
  if tokens_text then tokens, part = tokens_of(tokens_text, rule.window) end
  if last_text then last = last_of(last_text) end
  if not (tokens and last) then return nil end
  state.is_there = tokens_text or last_text
  if not (tokens_text and last_text) then return state end
  state.last = last
  if tokens < rule.burst then
    state.missing, state.part = rule.burst - tokens, part
    if state.missing > rule.burst + rule.debt then
      state.missing, state.part = rule.burst + rule.debt, 0
    end
  end
  advance(state, rule)
  return state
end

-- For another limit: the tokens stay, and the part of one is measured on its window, rounded down.
local function fit(state, rule)
  if state.window ~= rule.window then
    state.part = floor(state.part / state.window * rule.window)
    state.window = rule.window
  end
  state.missing = state.missing + rule.burst - state.rule.burst
  if state.missing <= 0 then state.missing, state.part = 0, 0 end
  return state
end

-- Rounded up, and one more for the part of a token that is there already.
local function hold(state, rule, us)
  local missing, part = state.missing, state.part
  local refilled = mul_add_div(us, rule.count, rule.window - 1, rule.window)
  if missing <= refilled then state.missing, state.part = min(refilled + 1, rule.burst), 0 end
  return missing, part
end

local function let_go(state, missing, part)
  state.missing, state.part = missing, part
end

local function fits(state, rule, units, _, times)
  local left = rule.burst - state.missing
  if left < units then return 0 end
  return times == 1 and 1 or min(times, floor(left / units))
end

local function use(state, _, units, _, n)
  state.missing = state.missing + n * units
end

local function charge(state, rule, units)
  state.missing = state.missing + units
  if state.missing > rule.burst + rule.debt then
    state.missing, state.part = rule.burst + rule.debt, 0
  end
  return true
end

local function refund(state, _, units)
  if state.missing == 0 then return false end
  if units < state.missing then
    state.missing = state.missing - units
  else
    state.missing, state.part = 0, 0
  end
  return true
end

local function reset(state)
  state.missing, state.part, state.last, state.gone = 0, 0, now, true
end

local function report(state, _, o)
  out[o], out[o + 1], out[o + 2] = state.missing, state.part, state.last
end

local function tokens_text_of(state, rule)
  local whole, part = rule.burst - state.missing, state.part
  if part == 0 then return text_of(whole) end
  if whole >= 0 then
    return text_of(whole) .. string.sub(format('%.15f', part / rule.window), 2)
  end
  part = rule.window - part
  return '-' .. text_of(-whole - 1) .. string.sub(format('%.15f', part / rule.window), 2)
end

local function save(state)
  local rule = state.rule
  local tokens_key, last_key = KEYS[state.key], KEYS[state.key + 1]
  if state.gone and state.missing == 0 then
    if state.is_there then call('DEL', tokens_key, last_key) end
    return
  end
  -- Only for the expiry, so it need not be exact: a quantum is added, and Redis keeps no key past
  -- the end of the time line anyway.
  local full = min(state.last + state.missing / rule.count * rule.window, TOP)
  local expiry = text_of((floor(full / QUANTUM_US) + 2) * QUANTUM_MS)
  local last_ms = floor(state.last / 1000)
  local last = text_of(last_ms)
  if state.last ~= last_ms * 1000 then
    last = last .. format('.%03.0f', state.last - last_ms * 1000)
  end
  call('SET', tokens_key, tokens_text_of(state, rule), 'PXAT', expiry)
  call('SET', last_key, last, 'PXAT', expiry)
end

return {
  width = 3, new_rule = new_rule, load = load, fit = fit, fits = fits, use = use, charge = charge,
  refund = refund, reset = reset, report = report, save = save, hold = hold, let_go = let_go,
}
