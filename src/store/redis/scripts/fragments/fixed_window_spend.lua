local spent, written = used + units, nil
if spent < 0 then spent = 0 end
if spent ~= used or kept < 0 then
  if used == 0 or ends ~= kept or window ~= span then since = now - ends + window end
  mark, room, reset = ends - window + since, room - units, spent > 0 and ends - clock or 0
  written = string.format('%.0f %.0f %.0f %.0f', ends, spent, window, since)
end
