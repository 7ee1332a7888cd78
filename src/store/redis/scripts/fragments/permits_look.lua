-- Permits, a sorted set: by id the tick at which a lease ends. An id ends in ":" and its lease.
local limit, lease = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
local function permit(rank)
  local found = redis.call('ZRANGE', key, rank, rank, 'WITHSCORES')
  return tonumber(found[2] or 0), found[1] or ''
end
local function believed(ends, name) -- an end more than two leases ahead is of a clock that was ahead
  local its = tonumber(string.match(name, ':(%d+)$')) or 86400000000
  return ends > clock + 2 * its and clock + its or ends
end
local last, name = permit(-1)
local dead, all = 0, last > 0 and redis.call('ZCARD', key) or 0
local first = all > 1 and permit(0) or last
-- Ticks since 1970, or they would be somebody else's numbers, and taken for leases long over.
assert(last == 0 or first >= 2^49 and last <= 2^53, 'no permits')
local above = first > clock and 0 or all -- the lowest rank that is known to be alive
while dead < above do
  local middle = math.floor((dead + above) / 2)
  if permit(middle) > clock then above = middle else dead = middle + 1 end
end
local room, wait, reset = math.max(limit - all + dead, 0), 0, 0
if all > dead then reset = believed(last, name) - clock end
if cost > room then -- until enough of the leases would run out
  room, wait = -1 - room, believed(permit(all - limit + cost - 1)) - clock
end
