-- Decides any item: over the states of its keys, which are loaded when they are first named, kept
-- in memory for the items behind it, and written at the end if they changed.
--
-- What an algorithm has, all for states of its own making (tables with key, rule and dirty in them,
-- and what else it likes):
--   width                                     numbers in a report
--   new_rule(p)                               the rule at place p of the input
--   load(k, rule)                             the state of key k, or nil: the key holds no such
--   fit(state, rule)                          the state (or another), fit for another rule
--   fits(state, rule, a, b, times)            so many times in a row it would be admitted
--   use(state, rule, a, b, n)                 uses what fits, n times
--   charge(state, rule, a, b)                 true if the state changed
--   refund(state, rule, a, b)                 likewise
--   reset(state, rule)
--   report(state, rule, o, admitted, refused) into out from place o on; how many units were used by
--                                             the item, and how many more refused, if any
--   save(state)                               writes it
--   hold(state, rule, us)                     makes as much used as will be forgotten in that time;
--                                             returns what let_go(state, ...) takes to undo it

local function new_mul_add_div()
  --@include exact
end

local function new_window_at()
  --@include calendar
end

local function new_algorithm(number)
  if number == 0 then
    --@include gcra
  elseif number == 1 then
    --@include token_bucket
  elseif number == 2 then
    --@include sliding_log
  elseif number == 3 then
    --@include sliding_window
  elseif number == 4 then
    --@include fixed_window
  else
    --@include concurrency
  end
end

local rules = {}
local loaded = {}

local function rule_of(index)
  local rule = rules[index]
  if rule then return rule end
  local p = 6 + 8 * index
  local algorithm = a[p]
  local how = loaded[algorithm]
  if not how then
    how = new_algorithm(algorithm)
    loaded[algorithm] = how
  end
  rule = how.new_rule(p)
  rule.how = how
  rules[index] = rule
  return rule
end

local dirty = {}

-- The state of key k, fit for that rule; false if there is none such.
local function state_of(k, rule)
  local state = states[k]
  if state == nil then
    state = rule.how.load(k, rule) or false
    states[k] = state
  elseif state and state.rule ~= rule then
    if state.rule.how ~= rule.how then return false end
    state = rule.how.fit(state, rule)
    if not state then return false end
    states[k] = state
    state.key, state.rule = k, rule
  end
  return state
end

local function touch(state)
  if state.dirty then return end
  state.dirty = true
  dirty[#dirty + 1] = state
end

local REFUND, CHARGE, RESET, ACQUIRE, RELEASE, LEASE, RETURN = 2, 3, 4, 5, 6, 7, 8

-- Does what is no check, to the part at place p, which was reported at place o of out. Returns the
-- code.
local function act(verb, state, rule, p, o)
  local how = rule.how
  if verb == REFUND or verb == RETURN then
    if how.refund(state, rule, a[p + 2], a[p + 3]) then touch(state) end
  elseif verb == CHARGE then
    if how.charge(state, rule, a[p + 2], a[p + 3]) then touch(state) end
  elseif verb == RESET then
    how.reset(state, rule)
    if how.save then touch(state) end
  elseif verb == ACQUIRE then
    return how.acquire(state, rule, o, a[p + 2], a[p + 3], ARGV[a[p + 4]])
  elseif verb == RELEASE then
    return how.release(state, rule, o, a[p + 2], a[p + 3], ARGV[a[p + 4]])
  end
  return 1
end

-- Sets aside as many units as there are, up to `times`. Returns how many.
local function lease(state, rule, times, p, o)
  local how = rule.how
  local units, more = a[p + 2], a[p + 3]
  local one, other
  if how.hold then one, other = how.hold(state, rule, a[p + 4]) end
  local n = how.fits(state, rule, units, more, times)
  if n == 0 and how.hold then how.let_go(state, one, other) end
  how.report(state, rule, o, 0)
  if n > 0 then
    how.use(state, rule, units, more, n)
    touch(state)
  end
  return n
end

-- Decides the item of one part at place p and reports it at place o.
local function alone(verb, times, p, o)
  local rule = rules[a[p]] or rule_of(a[p])
  local how = rule.how
  local state = state_of(a[p + 1], rule)
  if not state then
    out[o] = -1
    for i = 1, how.width do out[o + i] = 0 end
  elseif verb == CHECK then
    local units, more = a[p + 2], a[p + 3]
    local n = how.fits(state, rule, units, more, times)
    out[o] = n
    how.report(state, rule, o + 1, n * units, n < times and units)
    if n > 0 then
      how.use(state, rule, units, more, n)
      if not state.dirty then touch(state) end
    end
  elseif verb == LEASE then
    out[o] = lease(state, rule, times, p, o + 1)
  elseif verb == RETURN and now > a[p + 4] then
    out[o] = 0
    how.report(state, rule, o + 1, 0)
  else
    how.report(state, rule, o + 1, 0)
    out[o] = act(verb, state, rule, p, o + 1)
  end
  return o + 1 + how.width
end

local together

local function new_together()
  --@include together
end

-- Decides the item of which the parts are at place p, and reports it at place o of out. Returns the
-- places behind both.
local function decide(verb, times, parts, p, o)
  if parts == 1 then
    o = alone(verb, times, p, o)
  else
    together = together or new_together()
    o = together(verb, times, parts, p, o)
  end
  return p + 5 * parts, o
end

local function finish()
  for i = 1, #dirty do dirty[i].rule.how.save(dirty[i]) end
end
