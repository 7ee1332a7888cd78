local changed = units ~= 0 or ahead
if units > 0 then
  units = math.min(units, math.max(math.min(2 * limit, 2^32 - 1) - sum, 0))
  if units > 0 then add(now, units) end
  room, mark = room - units, now
elseif units < 0 then -- of the oldest first
  local given = math.min(-units, sum)
  sum = sum - given
  while given > 0 and back > 0 do
    local held, parts = read()
    if held > given then
      older, place, given = number(held - given, parts) .. string.sub(older, place), 1, 0
    else
      given, back = given - held, back - parts
    end
  end
  newest = newest - given
end
