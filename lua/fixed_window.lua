-- Fixed window: the twin of engine/fixed_window.cc.
--
-- A counter for each window: the key named by the caller ends where the number of the window goes,
-- floor(now / length) or YYYYMM, which only this script knows. The layout of gateways that do INCR
-- and EXPIRE. A new counter expires a little after its window ends.
--
-- A clock that stepped back over the end of a window finds that window's counter again, as it was.

local window_at = new_window_at()
local by_name = {}

local function new_rule(p)
  local rule = {count = a[p + 1], debt = a[p + 2]}
  rule.start_ms, rule.end_ms, rule.number = window_at(a[p + 3], now_ms)
  return rule
end

local function load(k, rule)
  local name = KEYS[k] .. rule.number
  local state = by_name[name]
  if state then return state end
  local text = pcall('GET', name)
  if type(text) == 'table' then return nil end
  state = {
    key = k, rule = rule, dirty = false, name = name, used = 0, start_ms = rule.start_ms,
    end_ms = rule.end_ms,
  }
  if text then
    local sign, digits = match(text, '^(-?)(%d+)$')
    local stored = whole_number(digits)
    if not stored then return nil end
    -- Others may have given back more than was taken.
    state.stored = sign == '-' and -stored or stored
    state.used = max(state.stored, 0)
  end
  by_name[name] = state
  return state
end

-- For a limit with another window: that is another counter.
local function fit(state, rule)
  return load(state.key, rule)
end

local function fits(state, rule, units, _, times)
  local left = rule.count - state.used
  if left < units then return 0 end
  return times == 1 and 1 or min(times, floor(left / units))
end

local function use(state, _, units, _, n)
  state.used = state.used + n * units
end

local function charge(state, rule, units)
  state.used = min(state.used + units, rule.count + rule.debt)
  return true
end

local function refund(state, _, units)
  if state.used == 0 then return false end
  state.used = max(state.used - units, 0)
  return true
end

local function reset(state)
  state.used, state.gone = 0, true
end

local function report(state, _, o)
  out[o], out[o + 1] = state.start_ms, state.used
end

local function save(state)
  local stored, used = state.stored, state.used
  if used == 0 and state.gone then
    if stored then call('DEL', state.name) end
  elseif not stored then
    if used > 0 then
      call('SET', state.name, text_of(used), 'PXAT', text_of(state.end_ms + SLACK_MS))
    end
  elseif used ~= stored then
    call('INCRBY', state.name, text_of(used - stored))
  end
end

return {
  width = 2, new_rule = new_rule, load = load, fit = fit, fits = fits, use = use, charge = charge,
  refund = refund, reset = reset, report = report, save = save,
}
