  else
    return redis.error_reply('ERR no such kind of limit')
  end
end
return ask(1, 2) or told
