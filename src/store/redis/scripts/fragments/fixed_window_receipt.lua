-- Of the window that counted them, which is known by its first unit.
local is_counted = used > 0 and ends == kept and window == span and spent_at == ends - window + since
local units = is_counted and -refunded or 0
