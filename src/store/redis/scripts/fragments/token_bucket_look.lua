-- It tells the room in grains, or minus what is missing, and no more.
local missing = owed
if op == 'r' then -- tokens come back to the bucket as it was kept
  grains, per_tick = token, rate
elseif token ~= grains or rate ~= per_tick then
  -- As many tokens are missing under this quota, rounded up. As if all had come back and been spent anew:
  -- no receipt is of the new ones.
  local whole, rest, part = 0, 0, math.fmod(grains, token)
  local function add(units, parts)
    whole, rest = whole + units, rest + parts
    if rest >= token then whole, rest = whole + 1, rest - token end
  end
  for place = select(2, math.frexp(owed)) - 1, 0, -1 do -- by bits, as the product may pass 2^53
    add(whole, rest)
    if math.floor(owed / 2^place) % 2 == 1 then add((grains - part) / token, part) end
  end
  missing = math.min(rest > 0 and whole + 1 or whole, 2^52)
  returned, lasts = math.min(returned + owed, 2^53), math.min(math.max(lasts, clock + math.ceil(owed / rate)), 2^53)
  owed, token, rate = nil, grains, per_tick
end
local room, wait, reset = capacity - missing, nil, nil
if cost * grains > room then room = room - cost * grains end
