local room, wait, reset = math.max(limit - sum, 0), 0, sum > 0 and head + window - clock or 0
if cost > room then -- the oldest parts leave first
  local excess, left, first = sum + cost - limit, back, place
  while left > 0 do
    local units, parts = read()
    excess = excess - units
    if excess <= 0 then break end
    left = left - parts
  end
  room, wait, place = -1 - room, head - left * size + window - clock, first
end
