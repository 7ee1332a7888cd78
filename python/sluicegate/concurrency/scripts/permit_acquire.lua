-- Permits, a sorted set: by id the tick at which a lease ends. An id ends in ":" and its lease.
-- Takes one more unless there are `limit`. Answers with {granted, live, wait}: ticks until the
-- first lease would run out.
local key, id, limit, lease = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local function permit(rank)
  local found = redis.call('ZRANGE', key, rank, rank, 'WITHSCORES')
  return tonumber(found[2] or 0), found[1] or ''
end
local last, name = permit(-1)
-- Ticks since 1970, or they would be somebody else's numbers, and taken for leases long over.
assert(last == 0 or permit(0) >= 2^49 and last <= 2^53, 'no permits')
redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
-- An end further ahead than two leases was set by a clock that was ahead: it is not believed. The
-- holder may be alive, so its lease begins anew.
local changed = false
for _ = 1, 1000 do
  local its = tonumber(string.match(name, ':(%d+)$')) or 86400000000
  if last <= now + 2 * its then break end
  redis.call('ZADD', key, now + its, name)
  changed, last, name = true, permit(-1)
end
local live = redis.call('ZCARD', key)
local granted = live < limit
if granted then
  redis.call('ZADD', key, now + lease, id)
  last = math.max(last, now + lease)
end
if granted or changed then redis.call('PEXPIRE', key, math.ceil((last - now) / 1000) + 1) end
if granted then return { 1, live + 1, 0 } end
return { 0, live, live > 0 and permit(0) - now or 0 }
