local function scaled(count, span, divisor) -- count * span / divisor, rounded down
  local whole, rest = 0, 0 -- by two bits of the count at a time, as the product may pass 2^53
  for place = 2 * math.floor(select(2, math.frexp(count)) / 2), 0, -2 do
    rest = rest * 4 + math.floor(count / 2^place) % 4 * span
    whole, rest = whole * 4 + (rest - math.fmod(rest, divisor)) / divisor, math.fmod(rest, divisor)
  end
  return whole
end
if now >= kept then current, previous = 0, now - kept < span and current or 0 end
local left, wait = ends - clock, 0
local room = limit - current - (previous - scaled(previous, elapsed, window))
local reset = current > 0 and left + window or previous > 0 and left or 0
if cost > room then -- until enough of the previous count, or of this one after it, slid out
  local next, count, spare = current > limit - cost, previous, limit - cost - current
  if next then count, spare = current, limit - cost end
  local slid = spare < count and scaled(spare, window, count) or window
  room, wait = -1 - math.max(room, 0), left + (next and window or 0) - slid
end
