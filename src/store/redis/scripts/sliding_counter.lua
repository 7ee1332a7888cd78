-- Two aligned counters: "end current previous window". Answers with {room, retry, reset}.
local key, op, cost = KEYS[1], ARGV[1], tonumber(ARGV[2])
local limit, window, time = tonumber(ARGV[3]), tonumber(ARGV[4]), redis.call('TIME')
local clock = time[1] * 1000000 + time[2]
local function scaled(count, span, divisor) -- count * span / divisor, rounded down
  local whole, rest = 0, 0 -- by two bits of the count at a time, as the product may pass 2^53
  for place = 2 * math.floor(select(2, math.frexp(count)) / 2), 0, -2 do
    rest = rest * 4 + math.floor(count / 2^place) % 4 * span
    whole, rest = whole * 4 + (rest - math.fmod(rest, divisor)) / divisor, math.fmod(rest, divisor)
  end
  return whole
end
local now, current, previous, state = clock, 0, 0, redis.call('GET', key)
if state then
  local ends, this, last, span = string.match(state, '^(%d+) (%d+) (%d+) (%d+)$')
  ends, this, last, span = tonumber(ends), tonumber(this), tonumber(last), tonumber(span)
  assert(ends and math.max(ends, span) <= 2^53 and math.max(this, last) < 2^32, 'no counter')
  -- What ends later than two windows from now is of a clock that was ahead: it is not believed.
  if ends > clock + 2 * span then ends, this = 0, 0; redis.call('DEL', key) end
  if span == window then now = math.max(now, ends - window) end -- the clock may have been set back
  if now < ends then current, previous = this, last elseif now - ends < span then previous = this end
end
local ends, elapsed = now - math.fmod(now, window) + window, math.fmod(now, window)
local room, retry = limit - current - (previous - scaled(previous, elapsed, window)), 0
if op == 'r' then
  current = current - math.min(math.max(cost - previous, 0), current)
  previous = math.max(previous - cost, 0)
elseif cost > room then -- until enough of the previous count, or of this one after it, slid out
  local next, count, spare = current > limit - cost, previous, limit - cost - current
  if next then count, spare = current, limit - cost end
  local left = spare < count and scaled(spare, window, count) or window
  room, retry = -1 - math.max(room, 0), ends - clock + (next and window or 0) - left
elseif op == 'c' then room, current = room - cost, current + cost end
local reset = current > 0 and ends - clock + window or previous > 0 and ends - clock or 0
if reset == 0 and op == 'r' then redis.call('DEL', key)
elseif op == 'r' or op == 'c' and retry == 0 then
  local text = string.format('%.0f ', ends) .. current .. ' ' .. previous .. ' ' .. ARGV[4]
  redis.call('SET', key, text, 'PX', math.ceil(reset / 1000) + 1)
end
return op == 'r' and { 0, 0, 0 } or { room, retry, reset }
