    if halted then return halted end
    local units = op == 'c' and not refused and room >= 0 and role ~= 'w' and cost or 0
    if op == 'a' then units = most end
