local written
if changed then
  reset = current > 0 and left + window or previous > 0 and left or 0
  written = string.format('%.0f ', ends) .. current .. ' ' .. previous .. ' ' .. ARGV[at + 1]
end
