local left = missing
missing = math.max(missing + units * grains, 0)
room = room - units * grains
-- What came back, and also what another quota or a clock that was ahead had missing beyond the capacity.
returned = math.min(returned + owed - math.min(left, missing), 2^53)
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
