local changed = units ~= 0 or kept < 0
if units < 0 then -- of the previous count first
  current = math.max(current + math.min(previous + units, 0), 0)
  previous = math.max(previous + units, 0)
elseif units > 0 then
  current, room, mark = current + units, room - units, now
end
