-- Windows that are a calendar's periods: the caller sent where the period before its own begins, its
-- own, the next one, and where that ends. If the time lies in none of these three, it is answered,
-- and nothing done. What is kept is believed as in aligned.lua, and tells how long its period was.
local now = math.max(clock, kept - span)
if kept > clock + 2 * span then now, kept = clock, -math.huge end
local period = at + 2
while period < at + 5 and now >= tonumber(ARGV[period + 1]) do period = period + 1 end
if period == at + 5 or now < tonumber(ARGV[period]) then return { now } end
local ends = tonumber(ARGV[period + 1])
window = ends - tonumber(ARGV[period])
