-- The token bucket as one time (GCRA): "T", the tick at which it is full, or "T early" for
-- T * per_tick - early grains. Answers with the room left in grains, or minus what is missing.
local key, op, cost = KEYS[1], ARGV[1], tonumber(ARGV[2])
local capacity, per_token, per_tick = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
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
  local state = string.format('%.0f', now + ticks)
  if rest > 0 then
    ticks = ticks + 1
    state = string.format('%.0f %.0f', now + ticks, per_tick - rest)
  end
  redis.call('SET', key, state, 'PX', string.format('%.0f', math.ceil(ticks / 1000) + 1))
end

local unseen = grains_until(tonumber(ARGV[6]), 0)
local state = redis.call('GET', key) or ARGV[6]
local tick, early = string.match(state .. ' 0', '^(%d+) (%d+)')
if not string.find(state, '^%d+ ?%d*$') or tonumber(tick) > 2^53 then
  return redis.error_reply('ERR the key does not hold a token bucket')
end
local owed = grains_until(tonumber(tick), math.min(tonumber(early), per_tick - 1))
local missing = math.min(owed, capacity)
local room = capacity - missing - cost * per_token
local left = missing
if op == 'r' then left = math.max(missing - cost * per_token, math.min(unseen, missing)) end
if op == 'c' and room >= 0 then left = capacity - room end
if left ~= owed then write(left) end -- also when another quota left more than the capacity missing
return op == 'r' and 0 or op == 'p' and room >= 0 and capacity - missing or room
