missing = math.max(missing + units * grains, 0)
room = room - units * grains
local written
-- Also if more than the capacity was missing, by another quota or a clock ahead.
if missing ~= owed and op ~= 'p' then
  local rest, lead, zeros = math.fmod(missing, per_tick), grains, 0
  reset = (missing - rest) / per_tick
  while lead >= 200 do lead, zeros = lead / 10, zeros + 1 end
  if per_tick == 1 and reset <= 2^40 and zeros < 10 and lead % 1 == 0 then
    written = -((10 * lead + zeros) * 2^42 + (clock + reset) % 2^42)
  else
    if rest > 0 then
      reset = reset + 1
      rest = per_tick - rest
    end
    written = string.format('%.0f %.0f %.0f %.0f', clock + reset, rest, grains, per_tick)
  end
end
