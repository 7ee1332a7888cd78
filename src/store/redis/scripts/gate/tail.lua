  else
    return redis.error_reply('ERR no such kind of limit')
  end
end
local halted, told = ask(1, 1)
return halted or told
