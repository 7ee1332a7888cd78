-- A call comes to a circuit. Hash: "s" state (0 closed, 1 open, 2 half open), "g" generation,
-- "u" when open ends, "n" probes that succeeded, "p<id>" when a probe's lease ends, and of each
-- tenth of the window "b<n>" its number, "c<n>" calls, "f<n>" failures; times in microseconds.
-- Answers {state, generation, wait, changed}. A wait of 0 admits; no id only looks.
local key, id = KEYS[1], ARGV[1]
local places, lease, ttl = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local open_for = tonumber(ARGV[5])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local fields, circuit = redis.call('HGETALL', key), {}
for i = 1, #fields, 2 do circuit[fields[i]] = tonumber(fields[i + 1]) end
if #fields > 0 and not (circuit.s and circuit.g) then
  return redis.error_reply('ERR the key does not hold a circuit')
end
local state, generation = circuit.s or 0, circuit.g or now
-- An end further ahead than two timeouts was set by a clock that was ahead: it is not believed.
local changed = state == 1 and ((circuit.u or 0) <= now or circuit.u > now + 2 * open_for)
if state == 1 and not changed then return {1, generation, circuit.u - now, 0} end
if changed then
  state, generation, circuit = 2, math.max(generation + 1, now), {}
end

local taken, wait = circuit.n or 0, lease
local ended, anew = {}, {}
for name, ends in pairs(circuit) do
  if string.sub(name, 1, 1) == 'p' then
    if ends <= now then ended[#ended + 1] = name
    else taken, wait = taken + 1, math.min(wait, ends - now) end
    -- Nor is a lease's; but its probe may be under way, so that the lease begins anew.
    if ends > now + 2 * lease then anew[#anew + 1] = name end
  end
end
if state ~= 2 or taken < places then wait = 0 end
if id ~= '' and (changed or #fields == 0) then
  redis.call('DEL', key)
  redis.call('HSET', key, 's', state, 'g', generation)
end
if id ~= '' and state == 2 then
  for _, name in ipairs(ended) do redis.call('HDEL', key, name) end
  for _, name in ipairs(anew) do redis.call('HSET', key, name, now + lease) end
  if wait == 0 then redis.call('HSET', key, 'p' .. id, now + lease) end
end
if id ~= '' and wait == 0 then redis.call('PEXPIRE', key, ttl) end
return {state, generation, wait, changed and 1 or 0}
