if op == 'r' then room, wait, reset = 0, wait and 0, 0 end
return wait and { room, wait, reset, oldest } or room -- a bucket tells one number
