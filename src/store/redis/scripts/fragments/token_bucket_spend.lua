missing = math.max(missing + units * grains, 0)
room = room - units * grains
local written
if (missing ~= owed or since > clock) and op ~= 'p' then
  if units < 0 then returned = math.min(returned + owed - missing, 2^53) end
  reset, written = math.ceil(missing / per_tick), struct.pack('<dddd', missing, clock, token, rate)
  if returned > 0 then -- as long as a receipt may count that is older
    written = written .. struct.pack('<d', returned)
    reset = math.max(reset, (redis.call('PTTL', key) - 1) * 1000)
  end
end
