    if units > 0 then wait = mark or wait end -- as tail.lua
    told[index] = op == 'a' and { units } or { room, wait, reset }
