  else
    return redis.error_reply('ERR no such kind of limit')
  end
  if op == 'a' then
    wanted[index] = most
  else
    wanted[index] = op == 'c' and fits and role ~= 'w' and cost or 0
    refused = refused or role == 'e' and not fits
  end
end
local told = {}
for index, spend in ipairs(spends) do
  told[index] = spend(refused and 0 or wanted[index])
end
return told
