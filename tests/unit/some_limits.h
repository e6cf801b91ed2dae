// Limits and algorithms that several tests speak of.
#pragma once

#include <cstdint>

#include "engine/policy.h"

namespace toll::engine {

inline constexpr Algorithm kWindowed[] = {Algorithm::kGcra, Algorithm::kTokenBucket,
                                          Algorithm::kSlidingLog, Algorithm::kSlidingWindow,
                                          Algorithm::kFixedWindow};

// As many at once as in the window.
inline Limit per(int64_t count, int64_t window_us) {
  return make_limit(count, count, window_us);
}

}  // namespace toll::engine
