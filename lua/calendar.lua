-- Where windows begin and end on the time line: the twin of engine/calendar.h. A length of 0 is a
-- calendar month, UTC; a day is a plain length, since all days in Unix time are equally long.

local DAY_MS = 86400000
local DAYS = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

-- The first day of the month that holds `day`, counted from the epoch, the first day of the next,
-- and the month as YYYYMM. Years are counted from March, so that the leap day is the last of its
-- year, in eras of 400 years, which are all alike (Howard Hinnant, "chrono-compatible low-level
-- date algorithms").
local function month_of(day)
  day = day + 719468
  local era = floor(day / 146097)
  local of_era = day - era * 146097
  local year = floor(
    (of_era - floor(of_era / 1460) + floor(of_era / 36524) - floor(of_era / 146096)) / 365)
  local of_year = of_era - (365 * year + floor(year / 4) - floor(year / 100))
  local from_march = floor((5 * of_year + 2) / 153)
  local of_month = of_year - floor((153 * from_march + 2) / 5)
  local month = from_march < 10 and from_march + 3 or from_march - 9
  year = year + era * 400
  if month <= 2 then year = year + 1 end
  local length = DAYS[month]
  if month == 2 and year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0) then length = 29 end
  local first = day - 719468 - of_month
  return first, first + length, year * 100 + month
end

-- The window that holds `at_ms`: its start, its end, and its number as text.
local function window_at(length_ms, at_ms)
  if length_ms == 0 then
    local first, last, number = month_of(floor(at_ms / DAY_MS))
    return first * DAY_MS, last * DAY_MS, text_of(number)
  end
  local number = floor(at_ms / length_ms)
  local start_ms = number * length_ms
  return start_ms, start_ms + length_ms, text_of(number)
end

return window_at
