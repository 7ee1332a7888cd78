-- A call's result: 1 success, 0 failure, -1 neither. The hash is that of circuit_enter.lua.
-- Answers the state that it leads to, or -1 if that is the one it was.
local key, id, of, result = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local places, open_for, ttl = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local most, rate, tenth = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local fields, circuit = redis.call('HGETALL', key), {}
for i = 1, #fields, 2 do circuit[fields[i]] = tonumber(fields[i + 1]) end

local function become(state)
  redis.call('DEL', key)
  redis.call('HSET', key, 's', state, 'g', math.max(of + 1, now), 'u', now + open_for)
  redis.call('PEXPIRE', key, ttl)
  return state
end

if result < 0 then redis.call('HDEL', key, 'p' .. id) end
if result < 0 or circuit.g ~= of then return -1 end -- an older generation's
if circuit.s == 2 then
  if (circuit['p' .. id] or 0) <= now then return -1 end
  if result == 0 then return become(1) end
  if (circuit.n or 0) + 1 >= places then return become(0) end
  redis.call('HDEL', key, 'p' .. id); redis.call('HINCRBY', key, 'n', 1)
else
  local number, calls, failures = math.floor(now / tenth), 1, 1 - result
  for n = 0, 9 do
    local from_now = (circuit['b' .. n] or 0) - number -- not of a clock that was a window ahead
    local live = from_now > -10 and from_now <= 10
    calls = calls + (live and circuit['c' .. n] or 0)
    failures = failures + (live and circuit['f' .. n] or 0)
  end
  local bad = failures >= most and failures * 1000000 >= rate * calls
  if result == 0 and bad then return become(1) end
  local c, f, b = 'c' .. number % 10, 'f' .. number % 10, 'b' .. number % 10
  local first = circuit[b] ~= number
  redis.call('HSET', key, b, number, c, (first and 0 or circuit[c]) + 1,
    f, (first and 0 or circuit[f]) + 1 - result)
end
redis.call('PEXPIRE', key, ttl)
return -1
