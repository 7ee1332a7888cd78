local spent, written = used + units, nil
if spent < 0 then spent = 0 end
if spent ~= used or kept < 0 then
  room, reset = room - units, spent > 0 and ends - clock or 0
  written = string.format('%.0f %.0f %.0f', ends, spent, window)
end
