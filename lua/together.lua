-- Items of several parts: several limits of a policy, or several policies. All parts or none.

-- Calls visit(rule, state, p, i) for each part; state is false for what is no limit.
local function for_each_part(parts, p, visit)
  for i = 1, parts do
    local rule = rule_of(a[p])
    visit(rule, state_of(a[p + 1], rule), p, i)
    p = p + 5
  end
end

-- Asks for all parts. Returns how often they are admitted, and of each part for how many units it
-- refuses one more time, if it does.
local function ask(times, parts, p, seen)
  local wanted, fitting, sums = {}, {}, {}
  local admitted = times
  for_each_part(parts, p, function(rule, state, q, i)
    local units, more = a[q + 2], a[q + 3]
    if seen[state] > 1 then
      local before = sums[state] or {0, 0}
      units = min(units, TOP - before[1]) + before[1]
      -- Of gcra this is a fraction; of others the same in both.
      if rule.tolerance then
        more = more + before[2]
        if more >= rule.count then units, more = min(units + 1, TOP), more - rule.count end
      end
    end
    wanted[i], fitting[i] = units, rule.how.fits(state, rule, units, more, times)
    if fitting[i] > 0 then sums[state] = {units, more} end
    admitted = min(admitted, fitting[i])
  end)
  local refused = {}
  for i = 1, parts do refused[i] = admitted < times and fitting[i] == admitted and wanted[i] end
  return admitted, refused
end

-- Decides the item of several parts at place p and reports it at place o.
local function together(verb, times, parts, p, o)
  local seen, poisoned, at = {}, false, o
  for_each_part(parts, p, function(_, state)
    if not state then
      poisoned = true
      return
    end
    seen[state] = (seen[state] or 0) + 1
    if seen[state] > 1 then times = 1 end
  end)
  local admitted, refused = 1, {}
  local held = {}
  if poisoned then
    admitted = -1
  elseif verb == CHECK then
    admitted, refused = ask(times, parts, p, seen)
  elseif verb == LEASE then
    for_each_part(parts, p, function(rule, state, q, i)
      if rule.how.hold then held[i] = {rule.how.hold(state, rule, a[q + 4])} end
    end)
    admitted = ask(times, parts, p, seen)
  elseif verb == RETURN and now > a[p + 4] then
    admitted = 0
  end
  if admitted == 0 then
    for_each_part(parts, p, function(rule, state, _, i)
      if held[i] then rule.how.let_go(state, held[i][1], held[i][2]) end
    end)
  end
  out[at] = admitted
  o = o + 1
  for_each_part(parts, p, function(rule, state, q, i)
    if poisoned then
      for j = 0, rule.how.width - 1 do out[o + j] = 0 end
    else
      local used = verb == CHECK and admitted * a[q + 2] or 0
      rule.how.report(state, rule, o, used, refused[i])
    end
    o = o + rule.how.width
  end)
  if admitted > 0 then
    for_each_part(parts, p, function(rule, state, q)
      if verb == CHECK or verb == LEASE then
        rule.how.use(state, rule, a[q + 2], a[q + 3], admitted)
        touch(state)
      else
        act(verb, state, rule, q, o)
      end
    end)
  end
  return o
end

return together
