-- A counter per aligned window: "end used window". Answers with {room, retry, reset}.
local key, op, cost = KEYS[1], ARGV[1], tonumber(ARGV[2])
local limit, window = tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local clock = time[1] * 1000000 + time[2]

local now, used = clock, 0
local state = redis.call('GET', key)
if state then
  local ends, count, span = string.match(state, '^(%d+) (%d+) (%d+)$')
  ends, count, span = tonumber(ends), tonumber(count), tonumber(span)
  if not ends or math.max(ends, count, span) > 2^53 then
    return redis.error_reply('ERR the key does not hold a fixed window')
  end
  -- What ends later than two windows from now is of a clock that was ahead: it is not believed.
  if ends > clock + 2 * span then ends = 0; redis.call('DEL', key) end
  -- A clock that was set back stays in the window; one of another length only hands over its count.
  if span == window then now = math.max(now, ends - window) end
  if now < ends then used = count end
end
local left = now - math.fmod(now, window) + window - clock

local room = math.max(limit - used, 0)
local fits = cost <= room
local spent = used
if op == 'c' and fits then spent = used + cost end
if op == 'r' then spent = math.max(used - cost, 0) end
if spent ~= used then
  local text = string.format('%.0f ', clock + left) .. spent .. ' ' .. ARGV[4]
  if spent == 0 then
    redis.call('DEL', key)
  else
    redis.call('SET', key, text, 'PX', math.ceil(left / 1000) + 1)
  end
end

if op == 'r' then return {0, 0, 0} end
local reset = spent > 0 and left or 0
if not fits then return {-1 - room, left, reset} end
return {op == 'c' and room - cost or room, 0, reset}
