-- One batch of charges and of questions about accounts: an id's month, its total and its holds.
--
--   EVALSHA sha n KEYS... ARGV[1] field [names of holds...]      ->  one bulk string
--
-- `field` is the field of an account's hash in which the last number of the sender's charges stands
-- that was applied, as "epoch:sequence". It lies in the same key as the total, so that a failover
-- which forgets one forgets the other; layout 1 keeps the total in a string of its own, and the
-- rest beside it in the same slot.
--
-- ARGV[1] is a msgpack array of whole numbers. An amount is two of them, dollars and nano-dollars:
-- a sum of nano-dollars would not fit a Lua number. 0, 0 is nothing.
--
--   L   layout: 0 hash, 1 string
--   E   the sender's epoch
--   N   items, each of another account, for each:
--     expires_ms   of the account's keys, where they have no expiry yet
--     O            1 if charges come with it
--     Q            how many questions follow
--     if O:  B             1: only upon the number `base` of ours; 0: upon any before `first`
--            base, first, last   two numbers each: epoch, sequence
--            amount        of all charges without a key
--            K             charges with a key: for each an amount, and 1 if a hold is settled by it
--     Q times:  verb       0 get  1 check  2 hold  3 cancel  4 budget set  5 budget clear
--               amount; more: charges that are on their way and come later; budget: the default,
--               -1, 0 being none; expires_ms of the hold. All are there for each verb.
--
-- KEYS, for each item: the account; layout 1: what lies beside it; then, if O and K, a key for each
-- of the charges that have one; if Q, or a hold is settled, the holds; if Q, the id's own budget.
-- Names of holds, "<nano-dollars>:<any>", in the order in which they are needed.
--
-- The reply is a msgpack array, for each item:
--
--   if O:  code, epoch, sequence (the number that stands there now), and the amount of charges
--          whose key had been used within a day
--          code  0 applied   1 a duplicate: all of it had been applied   2 another number stands
--                there than `base`, or one between `first` and `last`   3 a later epoch than the
--                sender's stands there   4 the total would not fit 64 bits   5 the key holds what
--                is no account
--          Nothing was done but by 0.
--   total, held
--   Q times:  code (check, hold: 1 yes, 0 no; else 1; -1 what is no account), total, held, budget
--             (-1, 0 none)
--
-- A charge is added to the total once, whatever happens to the reply. All is read and found to be
-- right before anything is written.

local DAY_MS = 86400000
local HI_MAX, LO_MAX = 9223372036, 854775807  -- 2^63 - 1
local LAPSED_MAX = 200

local input = cmsgpack.unpack(ARGV[1])
local at, key_at, name_at = 0, 0, 2
local field = ARGV[2]
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)

local function number()
  at = at + 1
  return input[at]
end
local function key()
  key_at = key_at + 1
  return KEYS[key_at]
end
local function name()
  name_at = name_at + 1
  return ARGV[name_at]
end

-- ---- amounts: dollars and nanos, never negative ----

-- As Redis counts them. Nil: that is none.
local function split(text)
  if not text then return 0, 0 end
  if not string.find(text, '^%d+$') or #text > 19 then return nil end
  if #text <= 9 then return 0, tonumber(text) end
  return tonumber(string.sub(text, 1, -10)), tonumber(string.sub(text, -9))
end
local function join(hi, lo)
  if hi == 0 then return string.format('%.0f', lo) end
  return string.format('%.0f%09.0f', hi, lo)
end
local function add(hi, lo, more_hi, more_lo)
  hi, lo = hi + more_hi, lo + more_lo
  if lo >= 1000000000 then return hi + 1, lo - 1000000000 end
  return hi, lo
end
-- Never below 0.
local function subtract(hi, lo, less_hi, less_lo)
  hi, lo = hi - less_hi, lo - less_lo
  if lo < 0 then hi, lo = hi - 1, lo + 1000000000 end
  if hi < 0 then return 0, 0 end
  return hi, lo
end
local function above(hi, lo, than_hi, than_lo)
  return hi > than_hi or (hi == than_hi and lo > than_lo)
end

-- ---- one account ----

-- What the current item is about.
local account, beside, holds, budget_key, expires_ms
local total_hi, total_lo, held_hi, held_lo, mark_epoch, mark_sequence
local fresh  -- has no expiry yet
local epoch  -- the sender's

local function read(layout)
  local fields
  if layout == 0 then
    fields = redis.pcall('HMGET', account, 'total', 'held', field)
  else
    fields = redis.pcall('HMGET', beside, 'expires', 'held', field)
  end
  if fields.err then return false end
  local total, held, mark = fields[1], fields[2], fields[3]
  fresh = not (total or held or mark)
  if layout == 1 then
    total = redis.pcall('GET', account)
    if type(total) == 'table' then return false end
  end
  total_hi, total_lo = split(total)
  held_hi, held_lo = split(held)
  mark_epoch, mark_sequence = 0, 0
  if mark then
    local first, second = string.match(mark, '^(%d+):(%d+)$')
    if not first then return false end
    mark_epoch, mark_sequence = tonumber(first), tonumber(second)
  end
  return total_hi and held_hi
end

local function expire(layout)
  if not fresh then return end
  fresh = false
  local when = string.format('%.0f', expires_ms)
  if layout == 1 then
    redis.call('HSET', beside, 'expires', when)
    redis.call('PEXPIREAT', beside, when)
  end
  redis.call('PEXPIREAT', account, when)
end

local function write_held()
  redis.call('HSET', beside, 'held', join(held_hi, held_lo))
end

-- What is no set of holds holds none: it spoils nothing but the holds.
local function release(member)
  if redis.pcall('ZREM', holds, member) ~= 1 then return false end
  local hi, lo = split(string.match(member, '^(%d+):'))
  if hi then held_hi, held_lo = subtract(held_hi, held_lo, hi, lo) end
  return true
end

-- Holds lapse when somebody looks.
local function lapse()
  if held_hi == 0 and held_lo == 0 then return end
  local until_now = string.format('%.0f', now_ms)
  local lapsed = redis.pcall('ZRANGEBYSCORE', holds, '-inf', until_now, 'LIMIT', 0, LAPSED_MAX)
  if lapsed.err or #lapsed == 0 then return end
  for _, member in ipairs(lapsed) do release(member) end
  if redis.call('ZCARD', holds) == 0 then held_hi, held_lo = 0, 0 end
  write_held()
end

-- ---- charges ----

local function before(epoch, sequence, than_epoch, than_sequence)
  return epoch < than_epoch or (epoch == than_epoch and sequence < than_sequence)
end

local function judge(charges)
  if mark_epoch > epoch then return 3 end
  if not before(mark_epoch, mark_sequence, charges.last_epoch, charges.last_sequence) then
    return 1
  end
  if charges.strict then
    local same = mark_epoch == charges.base_epoch and mark_sequence == charges.base_sequence
    local after = before(mark_epoch, mark_sequence, charges.first_epoch, charges.first_sequence)
    return same and after and 0 or 2
  end
  local first = before(mark_epoch, mark_sequence, charges.first_epoch, charges.first_sequence)
  return first and 0 or 2
end

local function read_charges()
  local charges = {strict = number() == 1}
  charges.base_epoch, charges.base_sequence = number(), number()
  charges.first_epoch, charges.first_sequence = number(), number()
  charges.last_epoch, charges.last_sequence = number(), number()
  charges.hi, charges.lo = number(), number()
  charges.keyed = {}
  for i = 1, number() do
    charges.keyed[i] = {hi = number(), lo = number(), settles = number() == 1}
    if charges.keyed[i].settles then charges.settles = true end
  end
  return charges
end

-- Which of those with a key count, and the total with them.
local function sum(charges)
  local hi, lo = add(total_hi, total_lo, charges.hi, charges.lo)
  charges.again_hi, charges.again_lo = 0, 0
  local seen = {}
  for _, charge in ipairs(charges.keyed) do
    charge.again = seen[charge.key] or redis.call('EXISTS', charge.key) == 1
    seen[charge.key] = true
    if charge.again then
      charges.again_hi, charges.again_lo =
        add(charges.again_hi, charges.again_lo, charge.hi, charge.lo)
    else
      hi, lo = add(hi, lo, charge.hi, charge.lo)
    end
  end
  return hi, lo
end

local function apply(charges, layout)
  local hi, lo = sum(charges)
  if above(hi, lo, HI_MAX, LO_MAX) then return 4 end
  local held_before_hi, held_before_lo = held_hi, held_lo
  for _, charge in ipairs(charges.keyed) do
    if not charge.again then redis.call('SET', charge.key, 1, 'PX', DAY_MS) end
    if charge.settles then release(charge.member) end
  end
  local mark = string.format('%.0f:%.0f', charges.last_epoch, charges.last_sequence)
  if layout == 0 then
    redis.call('HSET', account, 'total', join(hi, lo), field, mark)
  else
    redis.call('SET', account, join(hi, lo), 'KEEPTTL')
    redis.call('HSET', beside, field, mark)
  end
  if held_hi ~= held_before_hi or held_lo ~= held_before_lo then write_held() end
  total_hi, total_lo = hi, lo
  mark_epoch, mark_sequence = charges.last_epoch, charges.last_sequence
  expire(layout)
  return 0
end

-- ---- questions ----

local function own_budget(hi, lo)
  local text = redis.pcall('GET', budget_key)
  if type(text) == 'table' then return nil end
  if not text then return hi, lo end
  if text == 'none' then return -1, 0 end
  return split(text)
end

local function within(hi, lo, budget_hi, budget_lo)
  return budget_hi < 0 or not above(hi, lo, budget_hi, budget_lo)
end

local function answer(layout, good)
  local verb = number()
  local hi, lo, more_hi, more_lo = number(), number(), number(), number()
  local budget_hi, budget_lo, hold_ms = number(), number(), number()
  local member
  if verb == 2 or verb == 3 then member = name() end
  if not good then return -1, 0, 0 end
  if verb == 4 then
    redis.call('SET', budget_key, hi < 0 and 'none' or join(hi, lo))
  elseif verb == 5 then
    redis.call('DEL', budget_key)
  elseif verb == 3 and release(member) then
    write_held()
  end
  budget_hi, budget_lo = own_budget(budget_hi, budget_lo)
  if not budget_hi then return -1, 0, 0 end
  if verb ~= 1 and verb ~= 2 then return 1, budget_hi, budget_lo end

  local sum_hi, sum_lo = add(total_hi, total_lo, more_hi, more_lo)
  sum_hi, sum_lo = add(sum_hi, sum_lo, held_hi, held_lo)
  sum_hi, sum_lo = add(sum_hi, sum_lo, hi, lo)
  if above(sum_hi, sum_lo, HI_MAX, LO_MAX) or not within(sum_hi, sum_lo, budget_hi, budget_lo) then
    return 0, budget_hi, budget_lo
  end
  if verb == 2 then
    local added = redis.pcall('ZADD', holds, 'NX', string.format('%.0f', hold_ms), member)
    if type(added) == 'table' then return -1, 0, 0 end
    if added == 1 then
      held_hi, held_lo = add(held_hi, held_lo, hi, lo)
      write_held()
      redis.call('PEXPIREAT', holds, string.format('%.0f', expires_ms))
      expire(layout)
    end
  end
  return 1, budget_hi, budget_lo
end

-- ---- all of them ----

local reply, size = {}, 0
local function say(...)
  for i = 1, select('#', ...) do
    size = size + 1
    reply[size] = select(i, ...)
  end
end

local layout = number()
epoch = number()
for _ = 1, number() do
  expires_ms = number()
  local has_charges, questions = number() == 1, number()
  local charges = has_charges and read_charges()
  account = key()
  beside = layout == 1 and key() or account
  if charges then
    for _, charge in ipairs(charges.keyed) do charge.key = key() end
    for _, charge in ipairs(charges.keyed) do
      if charge.settles then charge.member = name() end
    end
  end
  if questions > 0 or (charges and charges.settles) then holds = key() end
  if questions > 0 then budget_key = key() end

  local good = read(layout)
  if not good then
    total_hi, total_lo, held_hi, held_lo, mark_epoch, mark_sequence = 0, 0, 0, 0, 0, 0
  end
  if charges then
    local code = good and judge(charges) or 5
    if code == 0 then code = apply(charges, layout) end
    local again_hi, again_lo = 0, 0
    if code == 0 then again_hi, again_lo = charges.again_hi, charges.again_lo end
    say(code, mark_epoch, mark_sequence, again_hi, again_lo)
  end
  if good and questions > 0 then lapse() end
  say(total_hi, total_lo, held_hi, held_lo)
  for _ = 1, questions do
    local code, budget_hi, budget_lo = answer(layout, good)
    say(code, total_hi, total_lo, held_hi, held_lo, budget_hi, budget_lo)
  end
end
return cmsgpack.pack(reply)
