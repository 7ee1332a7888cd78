if dead > 0 then redis.call('ZREMRANGEBYSCORE', key, '-inf', clock) end
local written = false
for _ = 1, 1000 do -- who has an end that is not believed may be alive: its lease begins anew
  local ends = believed(last, name)
  if ends == last then break end
  redis.call('ZADD', key, ends, name)
  written, last, name = true, permit(-1)
end
for place = at + 2, at + 1 + units do
  redis.call('ZADD', key, clock + lease, ARGV[place])
  written, last = true, math.max(last, clock + lease)
end
if units < 0 then redis.call('ZREM', key, unpack(ARGV, at + 2, at + 1 - units)) end
if units > 0 then room, reset = room - units, last - clock end
if written then redis.call('PEXPIRE', key, math.ceil((last - clock) / 1000) + 1) end
