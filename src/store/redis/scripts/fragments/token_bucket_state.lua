-- The token bucket as one time (GCRA): "T early token tick". It is full `early` grains before tick T;
-- a token is worth `token` grains, of which a tick brings `tick`. Where these two are not told ("T",
-- "T early"), they are the caller's. Redis keeps a whole number without a string, and so most are
-- "-N": N is code * 2^42 + T % 2^42, `early` 0, `tick` 1, and `token` the code's tenth * 10^its last
-- digit. Such a key lives for 2^40 ticks at most, so that T is the one that is closest to now.
local capacity, grains = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
local per_tick, state = tonumber(ARGV[at + 2]), redis.call('GET', key) or '0'
local tick, early, token, rate = nil, 0, grains, per_tick
local packed = tonumber(string.match(state, '^%-(%d+)$'))
if packed then
  local code = (packed - packed % 2^42) / 2^42
  tick = clock + (packed - clock + 2^41) % 2^42 - 2^41
  token, rate = (code - code % 10) / 10 * 10^(code % 10), 1
  if packed > 2^53 then tick = nil end
else
  tick, early, token, rate = string.match(state, '^(%d+) (%d+) (%d+) (%d+)$')
  if not tick then tick, early = string.match(state, '^(%d+) ?(%d*)$') end
  tick, early = tonumber(tick), tonumber(early) or 0
  token, rate = tonumber(token) or grains, tonumber(rate) or per_tick
end
if not tick or tick > 2^53 or token * rate == 0 or token > 2^52 or rate > 2^52 then
  return redis.error_reply('ERR the key does not hold a token bucket')
end
