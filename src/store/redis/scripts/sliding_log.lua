-- The exact log, a list: base, t1, c1, t2, c2 ... with c the units up to and including tick t, and
-- base those before. Answers with {room, retry, reset}; a peek adds when the oldest unit leaves.
local key, op, cost = KEYS[1], ARGV[1], tonumber(ARGV[2])
local limit, window, time = tonumber(ARGV[3]), tonumber(ARGV[4]), redis.call('TIME')
local clock, last = time[1] * 1000000 + time[2], (redis.call('LLEN', key) - 1) / 2
local function number(at)
  return tonumber(string.match(redis.call('LINDEX', key, at) or '', '^%d+$')) or error('no log')
end
local function first(field, bound, low, high, step) -- pair whose tick (-1) or count (0) is above
  if low >= high then return low end
  local at = math.min(low + step - 1, math.floor((low + high) / 2)) -- the oldest, then ever further
  if number(2 * at + field) > bound then return first(field, bound, low, at, step) end
  return first(field, bound, at + 1, high, 2 * step)
end
local newest, total = -1, 0
if last >= 0 then newest, total = number(-2), number(-1) end
assert(math.max(newest, total) <= 2^53, 'no sliding log')
local now = newest > clock + window and clock or math.max(clock, newest) -- it was ahead, or set back
local dead = newest > now and last or first(-1, now - window, 1, last + 1, 1) - 1
local base = last < 0 and 0 or number(2 * dead)
assert(last < 0 or last % 1 == 0 and number(0) <= base and base <= total, 'no sliding log')
local used, room, retry = total - base, limit - total + base, 0
local oldest = used > 0 and op == 'p' and number(2 * dead + 1) + window - clock or window
if op == 'r' then
  base = math.min(base + cost, total)
  dead = first(0, base, dead + 1, last + 1, 1) - 1
elseif cost > room then
  retry = number(2 * first(0, base + cost - room - 1, dead + 1, last, 1) - 1) + window - clock
end
local spent = op == 'c' and retry == 0 and cost or 0
local from, to = dead == last and 2 * last + 1 or 2 * dead, spent > 0 and newest == now and -3 or -1
if (op ~= 'p' or newest > now) and (from > 0 or to == -3) then redis.call('LTRIM', key, from, to) end
if op == 'r' and dead < last then redis.call('LSET', key, 0, base) end -- else it is gone
if spent > 0 then -- a pair of the same tick was trimmed, and comes back with more
  redis.call('RPUSH', key, unpack(used == 0 and { 0, now, cost } or { now, total + cost }))
  redis.call('PEXPIRE', key, math.ceil((now + window - clock) / 1000) + 1)
end
local reset = used + spent > 0 and (spent > 0 and now or newest) + window - clock or 0
room = retry > 0 and -1 - math.max(room, 0) or room - spent
return op == 'r' and { 0, 0, 0 } or { room, retry, reset, op == 'p' and oldest or nil }
