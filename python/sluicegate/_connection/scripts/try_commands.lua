-- Calls commands, each an argument of words with * for the key. Answers with what each says that
-- is an error, or ''. RPUSH leaves a key, and is only called if that can be removed.
local told, expires = {}, type(redis.pcall('PEXPIRE', KEYS[1], 0)) == 'number'
for place, text in ipairs(ARGV) do
  local words = {}
  for word in string.gmatch(text, '%S+') do words[#words + 1] = word == '*' and KEYS[1] or word end
  local answer = (expires or words[1] ~= 'RPUSH') and redis.pcall(unpack(words))
  told[place] = type(answer) == 'table' and answer.err or ''
end
redis.pcall('PEXPIRE', KEYS[1], 0)
return told
