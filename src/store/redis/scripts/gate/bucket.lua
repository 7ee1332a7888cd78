    if op == 'a' then
      local counted = missing - before
      room = counted == units * grains and units or math.floor(counted / grains)
    end
    return nil, struct.pack('<ddd', room, clock, returned) .. told
