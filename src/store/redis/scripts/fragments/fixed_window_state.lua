-- A counter per aligned window: "end used window since", the last one from the window's start to its
-- first unit.
local limit, window = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
local kept, count, span, since, state = 0, 0, window, 0, redis.call('GET', key)
local first, last -- words of the state that stay while its window does
if state then
  first, count, last, span, since = string.match(state, '^(%d+) (%d+) ((%d+) (%d+))$')
  kept, count, span, since = tonumber(first), tonumber(count), tonumber(span), tonumber(since)
  if not kept or math.max(kept, count, span) > 2^53 then
    return redis.error_reply('ERR the key does not hold a fixed window')
  end
end
