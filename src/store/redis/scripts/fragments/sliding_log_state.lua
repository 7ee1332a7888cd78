-- The exact log, a list: base, t1, c1, t2, c2 ... with c the units up to and including tick t, and
-- base those before. It tells how many pairs are dead, and the base that they leave.
local limit, window = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
local last, newest, total = (redis.call('LLEN', key) - 1) / 2, -1, 0
local now, dead, base = clock, 0, 0
local function read(text)
  text = string.match(text or '', '^%d+$') or error('the key does not hold a sliding log')
  return text + 0
end
local function number(place) return read(redis.call('LINDEX', key, place)) end
local function first(field, bound, low, high, step) -- pair whose tick (-1) or count (0) is above
  if low >= high then return low end
  local middle = math.min(low + step - 1, math.floor((low + high) / 2)) -- the oldest, then further
  if number(2 * middle + field) > bound then return first(field, bound, low, middle, step) end
  return first(field, bound, middle + 1, high, 2 * step)
end
if last >= 0 then
  local begin, ends = redis.call('LRANGE', key, 0, 3), redis.call('LRANGE', key, -2, -1)
  local before = read(begin[1])
  newest, total = read(ends[1]), read(ends[2])
  if newest <= clock + window then now = math.max(clock, newest) end -- else it is ahead, or set back
  local bound = now - window
  if newest > now or newest <= bound then
    dead, base = last, total
  elseif read(begin[2]) > bound then
    base = before
  elseif read(begin[4]) > bound then -- mostly one leaves as one comes
    dead, base = 1, read(begin[3])
  else
    dead = first(-1, bound, 3, last, 2) - 1
    base = number(2 * dead)
  end
  assert(math.max(newest, total) <= 2^53 and last % 1 == 0 and before <= base and base <= total,
    'the key does not hold a sliding log')
end
