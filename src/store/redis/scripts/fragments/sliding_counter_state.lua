-- Two aligned counters: "end current previous window".
local limit, window = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
local kept, current, previous, span, state = 0, 0, 0, window, redis.call('GET', key)
if state then
  kept, current, previous, span = string.match(state, '^(%d+) (%d+) (%d+) (%d+)$')
  kept, current, previous = tonumber(kept), tonumber(current), tonumber(previous)
  span = tonumber(span)
  if not kept or math.max(kept, span) > 2^53 or math.max(current, previous) >= 2^32 then
    return redis.error_reply('ERR the key does not hold a sliding counter')
  end
end
