-- Multiply, then divide, without losing a bit: the twin of engine/exact.h.
--
-- Lua's numbers are doubles, exact to 2^53 only, and a count (32 bits) times a time (53 bits) does
-- not fit. Nearly always it does fit in practice, so that is the short road; where it does not, the
-- product is never formed: the division runs along with the multiplication, seven bits at a time.

-- floor((a * b + add) / divisor) and the rest of that division. The quotient is at most TOP.
-- REQUIRES: 0 <= a, b <= TOP; 0 <= add < 2^52; 0 < divisor <= 2^45.
local function mul_add_div(a, b, add, divisor)
  local sum = a * b + add
  if sum <= TOP then
    local quotient = floor(sum / divisor)
    return quotient, sum - quotient * divisor
  end
  -- a = whole * divisor + part. After each step quotient * divisor + rest is a times those bits
  -- of b that were seen; part and rest are below 2^45, so their sevenfold shifts fit.
  local whole = floor(a / divisor)
  local part = a - whole * divisor
  local quotient, rest = 0, 0
  local scale = 1
  while scale * 128 <= b do scale = scale * 128 end
  while scale >= 1 do
    local limb = floor(b / scale)
    b = b - limb * scale
    sum = rest * 128 + part * limb
    local carry = floor(sum / divisor)
    rest = sum - carry * divisor
    quotient = quotient * 128 + whole * limb + carry
    if quotient > TOP then return TOP, 0 end
    scale = scale / 128
  end
  sum = rest + add
  local carry = floor(sum / divisor)
  return min(quotient + carry, TOP), sum - carry * divisor
end

return mul_add_div
