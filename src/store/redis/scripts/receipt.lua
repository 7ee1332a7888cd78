-- A receipt is redeemed: up to `refunded` units come back of those that were spent at `mark`, as long
-- as they count, and no others. What it knows comes before the quota.
local refunded, spent_at = tonumber(ARGV[2]), tonumber(ARGV[3])
at = 6
