local written
if changed then
  reset = sum > 0 and head + window - clock or 0
  written = struct.pack('<ddI4I4B', tick, window, newest, sum, back) .. string.sub(older, place)
end
