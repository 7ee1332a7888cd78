-- Several limits, a key each, and one decision: all spend, or none. The mode is c(heck), p(eek) or
-- a(nyway), which spends whether it fits or not, up to a debt of one whole quota. Each limit has a word
-- for its kind, one for its role, its cost, and its quota's words. Roles: e(nforced), s(hadow), which
-- refuses nobody, and w(atches), a shadow that never spends.
--
-- A limit takes its look, asks those behind it, and spends on the way back: with the look's locals, and
-- when all have looked. So an error, or whatever else a look returns, leaves every key as it was.
local op, time = ARGV[1], redis.call('TIME')
local clock = time[1] * 1000000 + time[2]
local refused, told = false, {}
local function ask(index, word)
  local key = KEYS[index]
  if not key then return end
  local kind, role, cost, at = ARGV[word], ARGV[word + 1], tonumber(ARGV[word + 2]), word + 3
  local most, oldest, mark = cost, nil, nil
  if op == 'a' then cost = 0 end -- it cannot be refused
  told[index] = 0
