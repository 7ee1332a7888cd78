-- The exact log, a list: base, t1, c1, t2, c2 ... with c the units up to and including tick t, and
-- base those before.
local limit, window = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
local last, newest, total = (redis.call('LLEN', key) - 1) / 2, -1, 0
local function number(place)
  local text = string.match(redis.call('LINDEX', key, place) or '', '^%d+$')
  return tonumber(text) or error('the key does not hold a sliding log')
end
local function first(field, bound, low, high, step) -- pair whose tick (-1) or count (0) is above
  if low >= high then return low end
  local middle = math.min(low + step - 1, math.floor((low + high) / 2)) -- the oldest, then further
  if number(2 * middle + field) > bound then return first(field, bound, low, middle, step) end
  return first(field, bound, middle + 1, high, 2 * step)
end
if last >= 0 then newest, total = number(-2), number(-1) end
assert(math.max(newest, total) <= 2^53, 'the key does not hold a sliding log')
local now = newest > clock + window and clock or math.max(clock, newest) -- ahead, or set back
local dead = newest > now and last or first(-1, now - window, 1, last + 1, 1) - 1
local base = last < 0 and 0 or number(2 * dead)
assert(last < 0 or last % 1 == 0 and number(0) <= base and base <= total,
  'the key does not hold a sliding log')
local used, room, wait = total - base, limit - total + base, 0
local reset = used > 0 and newest + window - clock or 0
if op == 'p' then oldest = used > 0 and number(2 * dead + 1) + window - clock or window end
if cost > room then
  wait = number(2 * first(0, base + cost - room - 1, dead + 1, last, 1) - 1) + window - clock
  room = -1 - math.max(room, 0)
end
