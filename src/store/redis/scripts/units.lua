-- What a call spends: all of its cost, or nothing.
local units = op == 'c' and room >= 0 and cost or op == 'r' and -tonumber(ARGV[2]) or 0
