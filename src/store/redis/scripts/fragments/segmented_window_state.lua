-- The window in 60 parts, a string. First the tick and the window, doubles; `newest` and `sum`, of 4 bytes; and
-- `back`, a byte. The tick is of the newest unit, whose part has `newest` units of the `sum` of all; the
-- oldest lies `back` parts before it. Then, oldest first, a number for each part in use, 7 bits a byte, the
-- lowest first, all bytes but the last with the high bit; then 0 and how many, if parts follow that nobody used.
local limit, window = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
local tick, span, newest, sum, back, place = 0, window, 0, 0, 0, 1 -- place: of what still counts in `older`
local broken, older = 'the key does not hold a segmented window', redis.call('GET', key)
if older then
  newest = 0
  if #older >= 25 then tick, span, newest, sum, back, place = struct.unpack('<ddI4I4B', older) end
  if not (tick % 1 == 0 and span % 1 == 0 and tick >= 0 and tick <= 2^53 and span <= 2^53)
    or span < 1 or newest == 0 or newest > sum or back > 60 or (newest == sum) ~= (back == 0)
    or (place > #older) ~= (back == 0) then
    return redis.error_reply('ERR ' .. broken)
  end
else
  older = ''
end
local size = math.ceil(span / 60) -- of a part
local function last_tick(time) return time - math.fmod(time, size) + size - 1 end
local head = last_tick(tick) -- of the newest part
local function read() -- the units of the oldest part, and how far the next one is behind it
  local units, scale, byte, unused = 0, 1, 128, 0
  while byte >= 128 do
    byte = string.byte(older, place) or error(broken)
    units, scale, place = units + byte % 128 * scale, scale * 128, place + 1
  end
  if string.byte(older, place) == 0 then
    unused, place = string.byte(older, place + 1) or error(broken), place + 2
  end
  return units, unused + 1
end
local function number(units, parts) -- the same, written
  local text = ''
  while units >= 128 do
    text, units = text .. string.char(units % 128 + 128), math.floor(units / 128)
  end
  return text .. string.char(units) .. (parts > 1 and string.char(0, parts - 1) or '')
end
