// Multiply-then-divide without losing a bit: the arithmetic under the limiter algorithms.
//
// A count (31 bits) times a time (53 bits) does not fit 64 bits, though in practice it nearly
// always does. So each function takes the 64-bit road where the product fits and falls back to 128
// bits, whose division is many times slower, only where it does not. Internal to engine/. Pure; any
// thread.
#pragma once

#include <cassert>
#include <cstdint>
#include <limits>

namespace toll::engine {

// __extension__ because ISO C++ has no 128-bit integer.
__extension__ typedef __int128 Int128;

inline constexpr int64_t kExactMax = std::numeric_limits<int64_t>::max();

// floor((a * b + add) / divisor), or kExactMax where that does not fit.
// REQUIRES: a, b, add >= 0; divisor > 0.
constexpr int64_t mul_add_div_floor(int64_t a, int64_t b, int64_t add, int64_t divisor) {
  assert(a >= 0 && b >= 0 && add >= 0 && divisor > 0);
  int64_t sum = 0;
  if (!__builtin_mul_overflow(a, b, &sum) && !__builtin_add_overflow(sum, add, &sum)) [[likely]] {
    // Unsigned, because that division is the cheaper one.
    return static_cast<int64_t>(static_cast<uint64_t>(sum) / static_cast<uint64_t>(divisor));
  }
  const Int128 quotient = (static_cast<Int128>(a) * b + add) / divisor;
  return quotient > kExactMax ? kExactMax : static_cast<int64_t>(quotient);
}

// floor(a * b / divisor), or kExactMax. REQUIRES: as above.
constexpr int64_t mul_div_floor(int64_t a, int64_t b, int64_t divisor) {
  return mul_add_div_floor(a, b, 0, divisor);
}

// ceil((a * b + add) / divisor), or kExactMax. REQUIRES: as above, and add + divisor fits 63 bits.
constexpr int64_t mul_add_div_ceil(int64_t a, int64_t b, int64_t add, int64_t divisor) {
  return mul_add_div_floor(a, b, add + divisor - 1, divisor);
}

// ceil(a * b / divisor), or kExactMax. REQUIRES: as above.
constexpr int64_t mul_div_ceil(int64_t a, int64_t b, int64_t divisor) {
  return mul_add_div_ceil(a, b, 0, divisor);
}

}  // namespace toll::engine
