    if op == 'a' then
      local counted = missing - before
      return counted == units * grains and units or math.floor(counted / grains)
    end
    return units > 0 and kept or room
