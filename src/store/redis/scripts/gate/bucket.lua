    told[index] = units > 0 and kept or room
    if op == 'a' then
      local counted = missing - before
      told[index] = counted == units * grains and units or math.floor(counted / grains)
    end
