missing = math.max(missing + units * grains, 0)
room = room - units * grains
local written
if missing ~= owed then -- also if more than the capacity was, by another quota or a clock ahead
  local rest = math.fmod(missing, per_tick)
  reset = (missing - rest) / per_tick
  written = clock + reset -- as a number, which Redis keeps without a string
  if rest > 0 then
    reset = reset + 1
    written = string.format('%.0f %.0f', clock + reset, per_tick - rest)
  end
end
