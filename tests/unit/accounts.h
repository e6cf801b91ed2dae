// The month and the hashes of ids that tests of accounts speak of.
#pragma once

#include "engine/key_hash.h"
#include "engine/money.h"

namespace toll::engine {

inline constexpr Month kNovember = 12 * 2026 + 10;
inline const KeyHasher kHasher({1, 2});

}  // namespace toll::engine
