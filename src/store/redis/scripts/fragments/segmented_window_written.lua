local written
if changed then
  reset = sum > 0 and head + window - clock or 0
  written = string.format('%.0f %.0f %.0f %.0f %s ', tick, newest, sum, back, ARGV[at + 1])
    .. string.sub(older, place)
end
