-- Claims a daemon's epoch: its name, and how often it has begun, belong to one process at a time.
--
--   EVALSHA sha 1 key epoch token     ->  the epoch that holds: this one, or a later one
--
-- The key is a string, "<epoch>:<token>"; the token is drawn by each process. A later epoch, or the
-- same one with another token, is a second daemon with the same name: a copied state directory, or
-- one restored from an older time. The answer then is the other's epoch, at least this one + 1.

local key, epoch, token = KEYS[1], tonumber(ARGV[1]), ARGV[2]
if not epoch or not token then return redis.error_reply('ERR an epoch has a number and a token') end
local held = redis.call('GET', key)
if held then
  local number, owner = string.match(held, '^(%d+):(.*)$')
  if not number then return redis.error_reply('WRONGTYPE the key holds no epoch') end
  number = tonumber(number)
  if number > epoch then return number end
  if number == epoch and owner ~= token then return epoch + 1 end
  if number == epoch then return epoch end
end
redis.call('SET', key, string.format('%.0f:', epoch) .. token)
return epoch
