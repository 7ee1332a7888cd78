-- State that is one value, kept as long as it counts.
if written and reset > 0 then
  redis.call('SET', key, written, 'PX', math.ceil(reset / 1000) + 1)
elseif written then
  redis.call('DEL', key)
end
