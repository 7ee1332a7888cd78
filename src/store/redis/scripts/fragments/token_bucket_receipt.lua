-- No more than what is still missing for this spend's sake. Had nobody spent since, the bucket would be
-- full when the receipt says, or earlier by what has come back since. Nothing if the state has begun
-- anew or is kept by another rate, if the clock was set back behind the spend, or if the sum is too large.
local was_missing, had_returned = tonumber(ARGV[4]), tonumber(ARGV[5])
local still = was_missing - (returned - had_returned) - (clock - spent_at) * rate
if tonumber(ARGV[at + 1]) ~= token or tonumber(ARGV[at + 2]) ~= rate or spent_at > clock
  or returned < had_returned or returned == 2^53 then
  still = 0
end
local units = -1 -- at a price of these grains
grains = math.max(math.min(refunded * grains, still), 0)
