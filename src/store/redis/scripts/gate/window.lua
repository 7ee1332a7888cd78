    if units > 0 then wait = mark or wait end -- as tail.lua
    if op == 'a' then return { units } end
    return { room, wait, reset }
