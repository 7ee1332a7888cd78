    if units > 0 then wait = mark or wait end -- as tail.lua
    if op == 'a' then room = units end
    return nil, struct.pack('<ddd', room, wait, reset) .. told
