-- A bucket tells one number. When it is spent from it tells as text what the caller can count that and a
-- receipt from: the time, and the state before. To write the room as text would cost more.
if units > 0 then return time[1] .. ' ' .. time[2] .. ' ' .. state end
return op == 'r' and 0 or room
