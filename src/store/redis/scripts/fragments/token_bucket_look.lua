-- The token bucket as one time (GCRA): "T", the tick at which it is full, or "T early" for
-- T * per_tick - early grains; and, if something has been given back, "T early 0 0 returned" with the
-- sum of that in grains. It tells the room in grains, or minus what is missing, and no more.
local capacity, grains = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
local per_tick = tonumber(ARGV[at + 2])
local state = redis.call('GET', key) or '0'
local tick, early, more = string.match(state, '^(%d+) ?(%d*)(.*)$')
tick, early = tonumber(tick), early == '' and 0 or math.min(tonumber(early) or 0, per_tick - 1)
local rate, returned = '0 0', 0
if more ~= '' then
  rate, returned = string.match(more or '', '^ (%d+ %d+) ?(%d*)$')
  tick, returned = rate and tick, tonumber(returned) or 0
end
if not tick or tick > 2^53 then
  return redis.error_reply('ERR the key does not hold a token bucket')
end
-- Exact up to the capacity, and never rounded to below it.
local owed = tick <= clock and 0 or (tick - clock - 1) * per_tick + (per_tick - early)
local missing = math.min(owed, capacity)
local room, wait, reset = capacity - missing, nil, nil
if cost * grains > room then room = room - cost * grains end
