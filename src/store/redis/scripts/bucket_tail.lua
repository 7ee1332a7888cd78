-- A bucket tells one number; when it is spent from, what it keeps, which a receipt has to know.
if units > 0 then return written end
return op == 'r' and 0 or room
