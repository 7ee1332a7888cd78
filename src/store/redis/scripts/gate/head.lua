-- Several limits, a key each, and one decision: all spend, or none. The mode is c(heck), p(eek) or
-- a(nyway), which spends whether it fits or not, up to a debt of one whole quota. Each limit has a word
-- for its kind, one for its role, its cost, and its quota's words. Roles: e(nforced), s(hadow), which
-- refuses nobody, and w(atches), a shadow that never spends.
--
-- First all looks are taken, which write nothing: an error leaves every key as it was. Each leaves its
-- spend behind, a function with the look's locals. Then all spend, or put right what they have found.
local op, time, next_word = ARGV[1], redis.call('TIME'), 2
local clock = time[1] * 1000000 + time[2]
local spends, wanted, refused = {}, {}, false
for index, key in ipairs(KEYS) do
  local kind, role, cost = ARGV[next_word], ARGV[next_word + 1], tonumber(ARGV[next_word + 2])
  local at, most, fits, oldest, mark = next_word + 3, cost, nil, nil, nil
  if op == 'a' then cost = 0 end -- it cannot be refused
