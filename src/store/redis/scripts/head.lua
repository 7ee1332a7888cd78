-- The mode, c(heck), p(eek) or r(efund), the key, and one time for all that is done.
--
-- An algorithm has two fragments. `look` changes nothing. It reads `key`, `cost`, `clock`, and its
-- quota in ARGV from `at` on; it tells room, wait and reset, with -1 - room where the cost does
-- not fit. `spend` goes on from there: it takes `units`, whatever is left, or gives them back if
-- they are below 0; with 0 it only removes what does not count any more. Where the key holds
-- something else, `look` returns an error's reply, or raises. Having spent, it tells the `mark` by which
-- a receipt is known: the tick that counts the units, or for a fixed window that of its first unit.
local op, key, time, at = ARGV[1], KEYS[1], redis.call('TIME'), 3
local cost = op == 'r' and 0 or tonumber(ARGV[2])
local clock = time[1] * 1000000 + time[2]
local oldest, mark -- oldest: when it leaves; a log tells a peek
