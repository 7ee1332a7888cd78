if units < 0 then
  base = math.min(base - units, total)
  dead = first(0, base, dead + 1, last + 1, 1) - 1
end
local from, to = dead == last and 2 * last + 1 or 2 * dead, units > 0 and newest == now and -3 or -1
if (from > 0 or to == -3) and (op ~= 'p' or newest > now) then
  redis.call('LTRIM', key, from, to)
end
if units < 0 and dead < last then redis.call('LSET', key, 0, base) end -- else it is gone
if units > 0 then -- a pair of the same tick was trimmed, and comes back with more
  if used == 0 then redis.call('RPUSH', key, 0, now, units)
  else redis.call('RPUSH', key, now, total + units) end
  mark, room, reset = now, room - units, now + window - clock
  redis.call('PEXPIRE', key, math.ceil(reset / 1000) + 1)
end
