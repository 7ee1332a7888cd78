-- A bucket tells one number; when it is spent from, a text: the room, the time, and what has come back.
-- A list of two numbers would cost more.
if units > 0 then
  local text = room < 10^14 and room or string.format('%.0f', room) -- which Lua writes in full
  text = text .. ' ' .. time[1] .. ' ' .. time[2]
  return returned > 0 and text .. string.format(' %.0f', returned) or text
end
return op == 'r' and 0 or room
