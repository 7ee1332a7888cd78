-- Of the window that counted them: this one, or the one before it.
local changed, were = kept < 0, current + previous
if span == window and spent_at >= ends - window and spent_at < ends then
  current = math.max(current - refunded, 0)
elseif span == window and spent_at >= ends - 2 * window and spent_at < ends then
  previous = math.max(previous - refunded, 0)
end
changed = changed or current + previous < were
