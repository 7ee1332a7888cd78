-- What is far ahead is of a clock that was ahead: it is not believed. A clock that was set back stays
-- at the newest unit.
local ahead = tick > clock + window
local now = ahead and clock or math.max(clock, tick)
if ahead then newest, sum, back, older = 0, 0, 0, '' end
local function expire(time)
  while back > 0 and head - back * size + span <= time do
    local units, parts = read()
    sum, back = sum - units, back - parts
  end
  if head + span <= time then newest, sum = 0, 0 end
end
local function add(time, units)
  if sum == 0 or last_tick(time) > head then
    expire(time)
    local parts = (last_tick(time) - head) / size
    if sum > 0 then
      older, place, back = string.sub(older, place) .. number(newest, parts), 1, back + parts
    end
    head, newest, tick = last_tick(time), 0, time
  end
  newest, sum, tick = newest + units, sum + units, math.max(tick, time)
end
expire(now)
local moved = span ~= window
if moved then -- each unit goes to the new part of the latest tick that it may be of
  local parts = {}
  while back > 0 do
    local last, units, behind = head - back * size, read()
    parts[#parts + 1], back = { math.min(last, now), units }, back - behind
  end
  if newest > 0 then parts[#parts + 1] = { math.min(head, now), newest } end
  newest, sum, older, place, span, size = 0, 0, '', 1, window, math.ceil(window / 60)
  for _, part in ipairs(parts) do add(part[1], part[2]) end
  expire(now)
end
assert(sum >= newest and (back == 0) == (sum == newest) and (back == 0) == (place > #older), broken)
