missing = math.max(math.min(missing + units * grains, math.max(missing, 2 * capacity)), 0)
room = room - units * grains
local written
if (missing ~= owed or since > clock) and op ~= 'p' then
  if units < 0 then
    returned = math.min(returned + owed - missing, 2^53)
    lasts = math.min(math.max(lasts, clock + math.ceil(owed / rate)), 2^53)
  end
  reset, written = math.ceil(missing / rate), struct.pack('<dddd', missing, clock, token, rate)
  if returned > 0 then
    written, reset = written .. struct.pack('<dd', returned, lasts), math.max(reset, lasts - clock)
  end
end
