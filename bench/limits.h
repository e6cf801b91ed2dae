// Every bound of the bench room.
#pragma once

#include <cstddef>
#include <cstdint>

namespace toll::bench {

inline constexpr uint32_t kClientsMax = 20'000;
inline constexpr uint32_t kDepthMax = 65'536;
inline constexpr uint32_t kIdsMax = 100'000'000;
inline constexpr uint32_t kRunsMax = 1'000;
inline constexpr double kSecondsMax = 3'600;

// Of an open loop. Down to one request a second, so that a server that answers is heard of in time.
inline constexpr double kRateMin = 1;
inline constexpr double kRateMax = 100'000'000;
// What the comparison allows to be in flight on a connection of an open loop: more than is due
// while a machine sees to something else for a few milliseconds.
inline constexpr uint32_t kOpenDepth = 4'096;
static_assert(kOpenDepth <= kDepthMax);
// A request sent longer after it was due than a timer takes to fire was late.
inline constexpr int64_t kLateNs = 1'000'000;

// Requests rendered before a run: enough that a cycle through them touches every id of a small
// keyspace, few enough that they stay a stream the prefetcher can follow.
inline constexpr size_t kScriptRequestsMin = 16'384;
inline constexpr size_t kScriptRequestsMax = size_t{1} << 22;
inline constexpr size_t kPolicyNameMax = 64;

// Log records: from what holds an object with an id to the longest that a daemon takes. A script
// of them has fewer requests, so that it stays within so many bytes.
inline constexpr uint32_t kRecordBytesMin = 64;
inline constexpr uint32_t kRecordBytesMax = 60 * 1024;
inline constexpr size_t kScriptRecordBytesMax = size_t{64} << 20;
inline constexpr uint32_t kRecordsPerCall = 100;  // of POP, and of RPUSH to Redis itself
static_assert(kScriptRecordBytesMax / kRecordBytesMax / kRecordsPerCall > 1);

// Into how many parts the counted seconds are cut to draw throughput over time.
inline constexpr size_t kTimelineParts = 100;

// What one read of a reply stream takes.
inline constexpr size_t kReceiveBytes = 64 * 1024;

// A server that answers nothing for this long has failed the run.
inline constexpr int64_t kStallNs = 5'000'000'000;
static_assert(kStallNs > 2e9 / kRateMin);

// Requests sent in one go while filling a daemon with keys. Their bytes fit a socket's buffer, so
// that neither side can wait for the other to read.
inline constexpr size_t kFillBatch = 512;

// Lines and bytes of one reply to STATS.
inline constexpr size_t kListRowsMax = 10'000;
inline constexpr size_t kListBytesMax = size_t{1} << 20;

// Bytes of one reply of Redis to a question of the bench's.
inline constexpr size_t kRedisReplyBytesMax = size_t{1} << 20;

}  // namespace toll::bench
