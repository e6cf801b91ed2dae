// Every bound of the daemon room.
#pragma once

#include <cstddef>
#include <cstdint>

#include "net/limits.h"

namespace toll::daemon {

// Words of one request; a PEEK of many ids is the longest.
inline constexpr size_t kWordsMax = 1024;

// Limits in one CHECK: each may live on another worker, and all must be asked before any is
// answered.
inline constexpr size_t kChecksMax = 16;

// Requests of one connection that may wait for their answers. Past it the rest of its bytes wait.
inline constexpr uint32_t kInFlightPerSessionMax = 4096;

// Questions one worker may have under way, of all its sessions together; and of those, how many to
// one other worker. When less than one longest request's worth is left, sessions wait with reading.
inline constexpr size_t kAsksPerWorkerMax = size_t{1} << 16;
inline constexpr size_t kAsksPerRouteMax = size_t{1} << 14;
inline constexpr size_t kTogethersPerWorkerMax = 1024;

// Requests for costs of one worker's sessions under way; and how long the store may take to answer
// one before the ledger does.
inline constexpr size_t kCostsPerWorkerMax = size_t{1} << 14;
inline constexpr int64_t kCostDeadlineNs = 50'000'000;

// Requests of one worker's consumers of log records under way, those who wait included.
inline constexpr size_t kLogRequestsPerWorkerMax = 4096;

// What a worker sends another beside its sessions' questions, which are not read when less room is
// left: what became of the records of such a request, and a batch of records.
inline constexpr size_t kOwnLettersMax = kLogRequestsPerWorkerMax + 1;

// How deep a log record's objects and arrays may be nested.
inline constexpr size_t kJsonDepthMax = 64;

// How often a call is sent again because Redis had lost the script.
inline constexpr uint32_t kResendsMax = 2;

// After an error that says that Redis will not serve us now, it is asked again; and how often such
// an error is told. STATS counts them all.
inline constexpr int64_t kStoreRetryNs = 100'000'000;
inline constexpr int64_t kSayEveryNs = 10'000'000'000;

// Operations handed to a shard in one go.
inline constexpr size_t kBatchMax = 64;

// What happens in one worker and waits for the herald; and how much of that room is kept for what
// goes into the audit log.
inline constexpr size_t kHappeningsMax = 512;
inline constexpr size_t kHappeningsForAudit = kHappeningsMax / 2;

// Events for watchers: in one batch; batches on their way to a worker; how many lines it writes in
// one turn, to all of its watchers together; and what may wait for one that does not read. Past
// these, events are lost and counted.
inline constexpr size_t kEventsPerBatchMax = 64;
inline constexpr uint32_t kEventBatchesMax = 16;
inline constexpr size_t kEventsToldPerTurnMax = 4096;
inline constexpr size_t kWatcherOutputMax = size_t{64} << 10;

// Bounds for what the operator may set.
inline constexpr size_t kLineMin = 1024;
inline constexpr size_t kLineMax = size_t{1} << 20;

// The log: what may wait to be written; one message; and how many kinds of repeated lines are told
// apart.
inline constexpr size_t kLogQueueMax = size_t{256} << 10;
inline constexpr size_t kLogMessageMax = 4096;
inline constexpr size_t kLogKindsMax = 64;

// Descriptors the daemon needs beside one per client: rings, doorbells, log, listener, reserve, and
// the metrics page with who reads it.
inline constexpr uint32_t kReservedDescriptors = 160 + net::kHttpConnectionsMax + 4;

static_assert((kHappeningsMax & (kHappeningsMax - 1)) == 0);
static_assert(kWordsMax * 2 + kOwnLettersMax < kAsksPerRouteMax);
static_assert(kInFlightPerSessionMax + kWordsMax < kAsksPerWorkerMax);

}  // namespace toll::daemon
