-- A counter per aligned window: "end used window".
local limit, window = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
local kept, count, span, state = 0, 0, window, redis.call('GET', key)
if state then
  kept, count, span = string.match(state, '^(%d+) (%d+) (%d+)$')
  kept, count, span = tonumber(kept), tonumber(count), tonumber(span)
  if not kept or math.max(kept, count, span) > 2^53 then
    return redis.error_reply('ERR the key does not hold a fixed window')
  end
end
