-- One batch of decisions about limits, by one reading of Redis' clock.
--
--   EVALSHA sha n KEYS... ARGV[1] [tickets...]      ->  one bulk string
--
-- KEYS, each once: first those of which the value is a string under a name that is known (gcra,
-- sliding_window, and for token_bucket two side by side, :tokens and :last), those of quick items
-- before the others; then the sliding_logs of quick items; then all others (fixed_window: the name
-- up to the window's number, which the script appends; sliding_log and concurrency).
--
-- ARGV[1] is a msgpack array of whole numbers; after it come the tickets as text.
--
--   Q   quick items
--   G   keys of theirs that are strings, at most 1000
--   S   keys that are strings, those included
--   R   rules
--   N   other items
--   R times 8 numbers; what is not named is not looked at:
--     gcra            0, count, tolerance_us, its fraction, debt_us, its fraction
--     token_bucket    1, count, burst, window_us, debt
--     sliding_log     2, count, window_ms, debt
--     sliding_window  3, count, debt, length_ms        (a length of 0 is a calendar month)
--     fixed_window    4, count, debt, length_ms
--     concurrency     5, count, ttl_ms
--   Q quick items, three numbers each: see quick.lua
--   N items: verb, times, parts, and for each part five numbers:
--     rule, counted from 0; key, counted from 1; a; b; c
--       gcra: a, b is the cost in microseconds and its fraction; all fractions are over the count,
--         and what is longer than the time line may be cut to its end, 2^53 - 1
--       all others: a is the units; sliding_log: b = 1 renews the key's expiry
--       acquire: b is the ticket's life in ms, 0 being the rule's; c its place in ARGV. release: c
--       lease: c is for how many microseconds from now it is held; return: c is when that ends
--
--   verb  0 check    all parts or none, `times` times in a row, until the first refusal
--         1 peek     changes nothing
--         2 refund   gives back, never above the limit
--         3 charge   whether there is as much or not, into debt at most
--         4 reset    forgets what was used
--         5 acquire  concurrency only, one part: the ticket, or none
--         6 release  likewise
--         7 lease    sets units aside, to be used until c has passed: up to `times` checks;
--                    where use is forgotten as time goes by, as if it were used at the end
--         8 return   of what a lease set aside, what was not used; nothing once its end has passed
--                    (gcra, token_bucket, fixed_window, sliding_window)
--
-- A key that is named twice in one item is asked for the sum; such an item is decided once,
-- whatever `times` says. `times` and counts of units stay below 2^32 together.
--
-- The reply is a msgpack array: now in microseconds, and for each item, the quick ones first, a
-- code and for each of its parts the state before the item, brought to now:
--
--   code  the times it was admitted (check, acquire, lease), the units that came back (release), 0
--         for a return that came too late, else 1;
--         -1: one of its keys holds what is no limit. Nothing was done, and the states are zeros;
--         of a lease that was granted the states are those that time will have made of them
--     gcra            tat_us, its fraction
--     token_bucket    missing, fraction of one over window_us, last_us
--     sliding_log     used, newest_ms, blocker_ms
--     sliding_window  start_ms, current, previous
--     fixed_window    start_ms, used
--     concurrency     used, last_expiry_ms, blocker_expiry_ms
--   The blocker is what must leave for the first of the refused to be admitted, 0 if that is never
--   or nothing was refused. newest_ms is 0 also when something was admitted: then it is now.
--
-- Items are decided in their order, and each sees what those before it did; the quick ones come
-- before all others, whose keys they do not name. A key is read and found to be a limit before
-- anything is written to it, since Redis takes nothing back: so what is no limit spoils only its
-- own items and is never overwritten, and a refusal writes nothing. Quick items are written at once
-- (quick.lua); all others are decided in memory, and each key that changed is written once, at the
-- end (general.lua, together.lua). Every key that is written has an expiry past the time at which
-- its state is the same as none.
--
-- The algorithms are the twins of those in engine/, figure by figure. No figure passes 2^53, up to
-- which Lua's numbers are whole, as long as now is before the year 2155 (engine/limits.h).

local call = redis.call
local time = call('TIME')
local now = time[1] * 1000000 + time[2]
local a = cmsgpack.unpack(ARGV[1])
local KEYS = KEYS

local raw = {}    -- by key: its text, false when there is none
local later = {}  -- quick items that turned out to be none: place in out, times, rule, key, a, b,
                  -- the hold of a lease or 0, the end of a return or nil
local out, o = {now}, 2

if a[1] > 0 then
  --@include quick
  if a[5] == 0 and #later == 0 then return cmsgpack.pack(out) end
end

local pcall = redis.pcall
local floor, min, max = math.floor, math.min, math.max
local find, match, format = string.find, string.match, string.format
local tonumber, type = tonumber, type
local ARGV = ARGV

local TOP = 9007199254740991  -- 2^53 - 1
local QUANTUM_US, QUANTUM_MS = 64000000, 64000
local SLACK_MS = 1000  -- by which a key outlives its window
local GARBAGE = '!'    -- what no algorithm takes for its own

local now_ms = floor(now / 1000)

-- How a whole number is written. %d is twice as fast and right where a long of C has 64 bits.
local WHOLE = format('%d', TOP) == '9007199254740991' and '%d' or '%.0f'

local function text_of(number)
  return format(WHOLE, number)
end

local now_ms_text = text_of(now_ms)

-- Text that Redis, too, takes for a whole number, and that is not above TOP; else nil.
local function whole_number(text)
  if not text or #text > 16 or not find(text, '^[1-9]%d*$') then return text == '0' and 0 or nil end
  local number = tonumber(text)
  return number <= TOP and number or nil
end

-- A score as a time in milliseconds on the time line; others may have written what is none.
local function time_of(score)
  return floor(min(max(tonumber(score) or 0, 0), TOP / 1000))
end

local states = {}  -- by key, made by general.lua; false: it holds what is no limit
local CHECK = 0

-- At most so many at once, for Lua's stack.
local KEYS_AT_ONCE = 1000

-- Reads the keys of the first kind that are not quick items'. As there, EXISTS tells what is not
-- there from what is no string.
local function read_texts(first, last)
  local texts = call('MGET', unpack(KEYS, first, last))
  local absent = {}
  for i = 1, #texts do
    if not texts[i] then absent[#absent + 1] = KEYS[first + i - 1] end
  end
  local some = #absent > 0 and call('EXISTS', unpack(absent)) > 0
  for i = 1, #texts do
    local k = first + i - 1
    raw[k] = texts[i] or some and call('EXISTS', KEYS[k]) == 1 and GARBAGE
  end
end

for first = a[2] + 1, a[3], KEYS_AT_ONCE do
  read_texts(first, min(first + KEYS_AT_ONCE - 1, a[3]))
end

--@include general

local p = 6 + 8 * a[4] + 3 * a[1]
for _ = 1, a[5] do
  p, o = decide(a[p], a[p + 1], a[p + 2], p + 3, o)
end
for i = 1, #later do
  local item = later[i]
  local hold, ends = item[7], item[8]
  a[p], a[p + 1], a[p + 2], a[p + 3], a[p + 4] = item[3], item[4], item[5], item[6], ends or hold
  decide(ends and RETURN or hold > 0 and LEASE or CHECK, item[2], 1, p, item[1])
end
finish()
return cmsgpack.pack(out)
