-- The token bucket as one time (GCRA): "T", the tick at which it is full, or "T early" for
-- T * per_tick - early grains. Answers with the room left in grains, or minus what is missing.
local key, op, price = KEYS[1], ARGV[1], ARGV[2] * ARGV[4]
local capacity, per_tick = tonumber(ARGV[3]), tonumber(ARGV[5])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

-- Exact up to the capacity, and never rounded to below it.
local function grains_until(tick, early)
  if tick <= now then return 0 end
  return (tick - now - 1) * per_tick + (per_tick - early)
end

local function write(missing)
  if missing == 0 then return redis.call('DEL', key) end
  local rest = math.fmod(missing, per_tick)
  local ticks = (missing - rest) / per_tick
  local state = now + ticks -- as a number, which Redis keeps without a string
  if rest > 0 then
    ticks = ticks + 1
    state = string.format('%.0f %.0f', now + ticks, per_tick - rest)
  end
  redis.call('SET', key, state, 'PX', math.ceil(ticks / 1000) + 1)
end

local tick, early = string.match(redis.call('GET', key) or '0', '^(%d+) ?(%d*)$')
tick, early = tonumber(tick), tonumber(early) or 0
if not tick or tick > 2^53 then
  return redis.error_reply('ERR the key does not hold a token bucket')
end
local owed = grains_until(tick, math.min(early, per_tick - 1))
local missing = math.min(owed, capacity)
local room, left = capacity - missing - price, missing
if op == 'c' and room >= 0 then left = capacity - room end
if op == 'r' then left = math.max(missing - price, 0) end
-- Also if more than the capacity is missing, by another quota or a clock that was ahead.
if left ~= owed then write(left) end
if op == 'p' and room >= 0 then return capacity - missing end
return op == 'r' and 0 or room
