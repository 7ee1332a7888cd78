-- Several limits, a key each, and one decision: all spend, or none. The mode is c(heck), p(eek) or
-- a(nyway), which spends whether it fits or not, up to a debt of one whole quota. Each limit has a word
-- for its kind, one for its role, its cost, and its quota's words; all are packed as one, after what
-- struct.unpack has to know of them, and ids of permits follow. Roles: e(nforced), s(hadow), which
-- refuses nobody, and w(atches), a shadow that never spends.
--
-- A limit takes its look, asks those behind it, and spends on the way back: with the look's locals, and
-- when all have looked. So an error, or whatever else a look returns, leaves every key as it was. Each
-- puts what it tells, three numbers, before what those behind it told.
local op, time, sent = ARGV[1], redis.call('TIME'), ARGV
local clock = time[1] * 1000000 + time[2]
local refused, ARGV = false, { struct.unpack(ARGV[2], ARGV[3]) }
local function ask(index, word)
  local key = KEYS[index]
  if not key then return nil, '' end
  local kind, role, cost, at = ARGV[word], ARGV[word + 1], ARGV[word + 2], word + 3
  local most, oldest, mark = cost, nil, nil
  if op == 'a' then cost = 0 end -- it cannot be refused
