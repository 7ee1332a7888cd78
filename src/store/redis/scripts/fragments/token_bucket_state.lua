-- The token bucket, as 32 or 40 bytes: how many grains are missing since which tick, how many a token is
-- worth and a tick brings, all as doubles; and, once something has come back, the sum of that in grains.
local capacity, grains = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
local per_tick, state = tonumber(ARGV[at + 2]), redis.call('GET', key)
local owed, since, token, rate, returned = 0, 0, grains, per_tick, 0
if state then
  if #state == 32 or #state == 40 then
    owed, since, token, rate = struct.unpack('<dddd', state)
    returned = #state == 40 and struct.unpack('<d', state, 33) or 0
  end
  if not (owed >= 0 and since >= 2^49 and token >= 1 and rate >= 1 and returned >= 0)
    or math.max(owed, token, rate) > 2^52 or math.max(since, returned) > 2^53 then
    return redis.error_reply('ERR the key does not hold a token bucket')
  end
  owed = math.max(owed - math.max(clock - since, 0) * rate, 0) -- none came while the clock was set back
end
