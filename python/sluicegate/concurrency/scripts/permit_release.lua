-- Gives back the permits of the given ids. Answers with how many there were still.
return redis.call('ZREM', KEYS[1], unpack(ARGV))
