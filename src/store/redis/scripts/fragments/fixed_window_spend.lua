local spent, written = used + units, nil
if spent < 0 then spent = 0 end
if spent ~= used or kept < 0 then
  room, reset = room - units, spent > 0 and ends - clock or 0
  if used > 0 and ends == kept and window == span then
    written = first .. ' ' .. spent .. ' ' .. last
  else
    since = now - ends + window
    written = string.format('%.0f %.0f %.0f %.0f', ends, spent, window, since)
  end
  mark = ends - window + since
end
