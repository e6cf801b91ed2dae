// What is answered when the store is away: as the policy says, by the shard, by letting through, or
// by refusing. Pure functions; the worker's thread.
#pragma once

#include <cstdint>
#include <span>

#include "engine/policy.h"
#include "engine/shard.h"
#include "engine/types.h"

namespace toll::daemon {

// Who answers `operation` without the store: kLocal (the shard is still to be asked), kOpen,
// kClosed. For the last two its outcome and answer are filled in: a decision is admitted or
// refused, with a retry of `retry_us`; what only the store could say is Outcome::kUnavailable, as a
// RESET is under any policy. `policy` is null for CL.THROTTLE, which the shard answers.
engine::Source answer_without_store(engine::Operation& operation, const engine::Policy* policy,
                                    int64_t retry_us);

// How a policy's answer goes together with those of the other limits of one CHECK: one that denies
// denies all; else the shard answers for all unless every one is let through.
engine::OnOutage together(engine::OnOutage a, engine::OnOutage b);

}  // namespace toll::daemon
