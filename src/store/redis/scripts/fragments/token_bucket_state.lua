-- The token bucket, as 32 or 48 bytes of doubles: how many grains are missing since which tick, how many a
-- token is worth and a tick brings; and, once something has come back, the sum of that in grains, and the
-- tick from which no receipt counts that is older.
local capacity, grains = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
local per_tick, state = tonumber(ARGV[at + 2]), redis.call('GET', key)
local owed, since, token, rate, returned, lasts = 0, 0, grains, per_tick, 0, 0
if state then
  owed = -1
  if #state == 32 or #state == 48 then
    owed, since, token, rate = struct.unpack('<dddd', state)
    if #state == 48 then returned, lasts = struct.unpack('<dd', state, 33) end
  end
  if not (owed >= 0 and since >= 0 and token >= 1 and rate >= 1 and returned >= 0 and lasts >= 0)
    or math.max(owed, token, rate) > 2^52 or math.max(since, returned, lasts) > 2^53 then
    return redis.error_reply('ERR the key does not hold a token bucket')
  end
  owed = math.max(owed - math.max(clock - since, 0) * rate, 0) -- none came while the clock was set back
end
