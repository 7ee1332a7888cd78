missing = math.max(missing + units * grains, 0)
room = room - units * grains
if missing < owed then -- or as much, beyond the capacity, is another quota's or a clock's that was ahead
  returned = math.min(returned + owed - missing, 2^53)
end
local written
if missing ~= owed then
  local rest = math.fmod(missing, per_tick)
  reset = (missing - rest) / per_tick
  written = clock + reset -- as a number, which Redis keeps without a string
  if rest > 0 then
    reset = reset + 1
    written = string.format('%.0f %.0f', clock + reset, per_tick - rest)
  end
  if returned > 0 then -- known for as long as a receipt may count that is older
    local early = rest > 0 and per_tick - rest or 0
    written = string.format('%.0f %.0f %s %.0f', clock + reset, early, rate, returned)
    reset = math.max(reset, math.ceil(capacity / per_tick))
  end
end
