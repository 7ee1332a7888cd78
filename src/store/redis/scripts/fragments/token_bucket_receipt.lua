-- No more than what is still missing for this spend's sake. Had nobody spent since, the bucket would be
-- full when the receipt says, or earlier by what has come back since. Nothing if the state has begun
-- anew, if the clock was set back behind the spend, or if the sum is too large to tell.
local was_missing, had_returned = tonumber(ARGV[4]), tonumber(ARGV[5])
local since = math.max(returned + owed - missing, had_returned) - had_returned
local still = was_missing - since - (clock - spent_at) * per_tick
if spent_at > clock or returned < had_returned or returned == 2^53 then still = 0 end
local units = -1 -- at a price of these grains
grains = math.max(math.min(refunded * grains, still), 0)
