local used, room, wait = total - base, limit - total + base, 0
local reset = used > 0 and newest + window - clock or 0
if op == 'p' then oldest = used > 0 and number(2 * dead + 1) + window - clock or window end
if cost > room then
  wait = number(2 * first(0, base + cost - room - 1, dead + 1, last, 1) - 1) + window - clock
  room = -1 - math.max(room, 0)
end
