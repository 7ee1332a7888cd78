local written
if units ~= 0 or kept < 0 then
  if units < 0 then -- of the previous count first
    current = math.max(current + math.min(previous + units, 0), 0)
    previous = math.max(previous + units, 0)
  else
    current = current + units
  end
  room, reset = room - units, current > 0 and left + window or previous > 0 and left or 0
  written = string.format('%.0f ', ends) .. current .. ' ' .. previous .. ' ' .. ARGV[at + 1]
end
