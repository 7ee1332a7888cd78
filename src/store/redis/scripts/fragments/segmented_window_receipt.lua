-- Of the part that counted them. What is left is put together anew.
local reset, changed, parts, its = 0, ahead, {}, last_tick(spent_at)
local function keep(time, units)
  local gone = last_tick(time) == its and math.min(refunded, units) or 0
  changed = changed or gone > 0
  if units > gone then parts[#parts + 1] = { time, units - gone } end
end
if not moved and its <= head and its >= head - back * size then
  local latest = { tick, newest }
  while back > 0 do
    local time, units, behind = head - back * size, read()
    keep(time, units)
    back = back - behind
  end
  keep(latest[1], latest[2])
  tick, newest, sum, older, place = 0, 0, 0, '', 1
  for _, part in ipairs(parts) do add(part[1], part[2]) end
end
