-- Windows that begin at multiples of their length: when the current one ends, by what is kept.
-- What ends later than two windows from now is of a clock that was ahead: it is not believed. A
-- clock that was set back stays in the window; one of another length only hands over its counts.
local now = span == window and math.max(clock, kept - window) or clock
if kept > clock + 2 * span then now, kept = clock, -math.huge end
local elapsed = math.fmod(now, window)
local ends = now - elapsed + window
