// Ways to break a promise on purpose. A simulator that finds no fault may be one that cannot: so
// one is built with these (-DTOLL_FLAWS, tests/sim), and a test shows that it finds each.
//
// In every other build flawed() is false when compiled, and nothing of this is left.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace toll::engine {

enum class Flaw : uint8_t {
  kNone,
  kAdmitsRefused,           // promise 1: what the store refused passes
  kChargesNobody,           // promise 2: a unit more than anybody asked for
  kSplitsGroups,            // promise 2: of several limits those that admit are charged
  kWaitsForStore,           // promise 3: past the deadline too
  kIgnoresShare,            // promise 5: in the dark each host takes the whole limit
  kClaimsRedis,             // promise 7: what the shard decided is said to be by redis
  kRemembersTooLong,        // promise 7: refusals that may have changed
  kDeafToNews,              // promise 7: what others give back
  kRepliesOutOfOrder,       // the first that is ready goes first
  kForgetsLostCalls,        // liveness: a batch whose connection broke is never over
  kBreakerStaysOpen,        // liveness
  kSkipsSync,               // promise 4: a commit that is written and not synced
  kAcksBeforeCommit,        // promise 4
  kMarkOffByOne,            // promise 4: the charge behind the mark is taken for applied
  kReleasesEarly,           // promise 4: the journal lets go of what was not sent
  kRenumbersRetry,          // promise 4: a call that was lost is sent again under new numbers
  kDropsLostCharges,        // promise 4: ... or not at all
  kSpendsAged,              // promise 1: units of a slice are used after its end
  kReturnsUsed,             // promise 1: what was used of a slice is given back, too
  kTrustsLostLease,         // promise 1: a slice whose call was lost is taken for granted
  kAcksRecordsFirst,        // promise 6: a log record is acknowledged before it is anywhere
  kForgetsUnsurePush,       // promise 6: records whose push was lost are pushed again unasked
  kOvertakesSpill,          // promise 6, order: newer records pass those that wait on the disk
  kDropsUncounted,          // promise 6: what is cut off the queue in Redis
  kDropsFromDiskUncounted,  // promise 6: the oldest on the disk
  kRemovesTaken,            // promise 6: records that no client has yet leave their list
  kForgetsUndelivered,      // promise 6: what a client did not get is not given back
  kForgetsLostTake,         // promise 6: what was taken by a call without a reply is left there
  kLeavesOrphans,           // promise 6: likewise what a daemon took that is gone
  kDrainsAhead,             // promise 6: the spill lets go of what Redis does not have yet
  kOverfillsDisk,           // promise 8: the journal, and the spill, past what they may take
};
inline constexpr std::array<std::string_view, 32> kFlawNames = {"none",
                                                                "admits-refused",
                                                                "charges-nobody",
                                                                "splits-groups",
                                                                "waits-for-store",
                                                                "ignores-share",
                                                                "claims-redis",
                                                                "remembers-too-long",
                                                                "deaf-to-news",
                                                                "out-of-order",
                                                                "forgets-lost-calls",
                                                                "breaker-stays-open",
                                                                "skips-sync",
                                                                "acks-before-commit",
                                                                "mark-off-by-one",
                                                                "releases-early",
                                                                "renumbers-retry",
                                                                "drops-lost-charges",
                                                                "spends-aged",
                                                                "returns-used",
                                                                "trusts-lost-lease",
                                                                "acks-records-first",
                                                                "forgets-unsure-push",
                                                                "overtakes-spill",
                                                                "drops-uncounted",
                                                                "drops-from-disk-uncounted",
                                                                "removes-taken",
                                                                "forgets-undelivered",
                                                                "forgets-lost-take",
                                                                "leaves-orphans",
                                                                "drains-ahead",
                                                                "overfills-disk"};

#ifdef TOLL_FLAWS
inline namespace with_flaws {
extern Flaw flaw_in_force;  // tests/sim/main.cc
inline bool flawed(Flaw flaw) {
  return flaw == flaw_in_force;
}
}  // namespace with_flaws
#else
inline namespace without_flaws {
constexpr bool flawed(Flaw) {
  return false;
}
}  // namespace without_flaws
#endif

}  // namespace toll::engine
