-- Permits, a sorted set: by id the tick at which a lease ends. Takes one more unless there are
-- `limit`. Answers with {granted, live, wait}: ticks until the first lease would run out.
local key, id, limit, lease = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local function ends(rank)
  return tonumber(redis.call('ZRANGE', key, rank, rank, 'WITHSCORES')[2] or 0)
end
local last = ends(-1)
-- Ticks since 1970, or they would be somebody else's numbers, and taken for leases long over.
assert(last == 0 or ends(0) >= 2^49 and last <= 2^53, 'no permits')
redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
local live = redis.call('ZCARD', key)
if live >= limit then return { 0, live, live > 0 and ends(0) - now or 0 } end
redis.call('ZADD', key, now + lease, id)
redis.call('PEXPIRE', key, math.ceil((math.max(last, now + lease) - now) / 1000) + 1)
return { 1, live + 1, 0 }
