-- Begins the leases of the given ids anew, unless they have run out. Answers with 1 or 0 for each.
local key, lease = KEYS[1], tonumber(ARGV[1])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local last = tonumber(redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')[2] or 0)
assert(last <= 2^53, 'no permits')
local renewed = {}
for place = 2, #ARGV do
  local ends = tonumber(redis.call('ZSCORE', key, ARGV[place]) or 0)
  renewed[place - 1] = 0
  if ends > now then
    -- The clock may have been set back, and a lease is not cut short; see permits_look.lua.
    if ends > now + 2 * lease then ends = now end
    redis.call('ZADD', key, 'XX', math.max(ends, now + lease), ARGV[place])
    renewed[place - 1] = 1
  end
end
last = tonumber(redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')[2] or 0)
if last > now then redis.call('PEXPIRE', key, math.ceil((last - now) / 1000) + 1) end
return renewed
