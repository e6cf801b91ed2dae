// Which operation of a CHECK of several limits describes them all. Pure; any thread.
#pragma once

#include <cstddef>
#include <span>

#include "engine/shard.h"

namespace toll::daemon {

// The index of: one that failed, if any; admitted: the one with the least remaining; refused: the
// one that must be waited for longest. The first of equals. REQUIRES: not empty.
size_t speaker_of(std::span<const engine::Operation> operations, bool admitted);

}  // namespace toll::daemon
