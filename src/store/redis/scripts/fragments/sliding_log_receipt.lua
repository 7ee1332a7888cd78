-- Of that very tick. As counts are cumulative, all behind it are written anew: a refund takes as long as
-- there are ticks with a spend since.
local pair = first(-1, spent_at - 1, dead + 1, last + 1, 1)
if pair <= last and number(2 * pair - 1) == spent_at then
  local units = number(2 * pair) - number(2 * pair - 2)
  local gone, behind = math.min(refunded, units), redis.call('LRANGE', key, 2 * pair - 1, -1)
  for place = 2, #behind, 2 do behind[place] = behind[place] - gone end
  local from = gone == units and 3 or 1
  if from > #behind and pair == dead + 1 then
    redis.call('LTRIM', key, 1, 0) -- nothing is left
  else
    redis.call('LTRIM', key, 2 * dead, 2 * pair - 2)
  end
  for place = from, #behind, 4000 do -- as many as Lua can hand on
    redis.call('RPUSH', key, unpack(behind, place, math.min(place + 3999, #behind)))
  end
end
