local used = now < kept and count or 0
local room, wait, reset = math.max(limit - used, 0), 0, used > 0 and ends - clock or 0
if cost > room then room, wait = -1 - room, ends - clock end
