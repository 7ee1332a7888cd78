if op == 'r' then room, wait, reset = 0, 0, 0 end
if units > 0 then wait = mark or wait end -- what is admitted need not wait: a receipt's mark is there
return { room, wait, reset, oldest }
