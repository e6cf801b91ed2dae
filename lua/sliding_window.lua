-- Sliding window counter: the twin of engine/sliding_window.cc.
--
-- A key holds "<start of the current window in ms>:<its units>:<units of the previous window>". Its
-- units are looked at until the end of the window after its own, so that is when it expires: set
-- when the key moves into another window, left alone in between.
--
-- A clock that stepped back stays in the newest window seen.

local mul_add_div, window_at = new_mul_add_div(), new_window_at()

local TRIPLE = WHOLE .. ':' .. WHOLE .. ':' .. WHOLE
local UNITS_TOP = 8589934592  -- 2^33: twice what a count and its debt can be

local function new_rule(p)
  local length = a[p + 3]
  local rule = {count = a[p + 1], debt = a[p + 2], length = length}
  rule.start_ms, rule.end_ms = window_at(length, now_ms)
  rule.before_ms = window_at(length, rule.start_ms - 1)
  return rule
end

-- Brings a state to the window of now.
local function fit(state, rule)
  -- Windows laid otherwise, before a reload: all that was used moves into the one it began in.
  local start_ms = state.start_ms
  if start_ms ~= rule.start_ms and start_ms ~= rule.before_ms then
    start_ms = window_at(rule.length, start_ms)
    if start_ms ~= state.start_ms then
      state.start_ms, state.current, state.previous = start_ms, state.current + state.previous, 0
    end
  end
  if start_ms < rule.start_ms then
    local previous = start_ms == rule.before_ms and state.current or 0
    state.start_ms, state.current, state.previous = rule.start_ms, 0, previous
  end
  -- What of the previous window is still in view, rounded up; before the window all of it is.
  state.weighted = state.previous
  if state.previous > 0 and state.start_ms <= now_ms then
    local length = rule.end_ms - rule.start_ms
    state.weighted = mul_add_div(state.previous, rule.end_ms - now_ms, length - 1, length)
  end
  return state
end

local function load(k, rule)
  local text = raw[k]
  if not text then
    return {
      key = k, rule = rule, dirty = false, start_ms = rule.start_ms, current = 0, previous = 0,
      weighted = 0,
    }
  end
  local start_text, current_text, previous_text = match(text, '^(%d+):(%d+):(%d+)$')
  local start_ms, current = whole_number(start_text), whole_number(current_text)
  local previous = whole_number(previous_text)
  if not (start_ms and current and previous) then return nil end
  if start_ms > TOP / 1000 or max(current, previous) > UNITS_TOP then return nil end
  local state = {
    key = k, rule = rule, dirty = false, start_ms = start_ms, current = current,
    previous = previous, weighted = 0, stored_ms = start_ms,
  }
  return fit(state, rule)
end

local function fits(state, rule, units, _, times)
  local left = rule.count - state.current - state.weighted
  if left < units then return 0 end
  return times == 1 and 1 or min(times, floor(left / units))
end

local function use(state, _, units, _, n)
  state.current = state.current + n * units
end

local function charge(state, rule, units)
  local left = rule.count + rule.debt - state.current - state.weighted
  state.current = state.current + min(units, max(left, 0))
  return left > 0
end

local function refund(state, rule, units)
  if state.current == 0 and state.previous == 0 then return false end
  local of_current = min(units, state.current)
  state.current = state.current - of_current
  state.previous = max(state.previous - (units - of_current), 0)
  fit(state, rule)
  return true
end

local function reset(state, rule)
  state.start_ms, state.current, state.previous = rule.start_ms, 0, 0
  state.weighted, state.gone = 0, true
end

local function report(state, _, o)
  out[o], out[o + 1], out[o + 2] = state.start_ms, state.current, state.previous
end

local function save(state)
  local key, start_ms = KEYS[state.key], state.start_ms
  if state.gone and state.current == 0 then
    if state.stored_ms then call('DEL', key) end
    return
  end
  local text = format(TRIPLE, start_ms, state.current, state.previous)
  if state.stored_ms == start_ms then
    call('SET', key, text, 'KEEPTTL')
  else
    local _, end_ms = window_at(state.rule.length, start_ms)
    local _, last_ms = window_at(state.rule.length, end_ms)
    call('SET', key, text, 'PXAT', text_of(last_ms + SLACK_MS))
  end
end

return {
  width = 3, new_rule = new_rule, load = load, fit = fit, fits = fits, use = use, charge = charge,
  refund = refund, reset = reset, report = report, save = save,
}
