// Every bound of the network room. Tests shrink what LoopSettings carries.
#pragma once

#include <cstddef>
#include <cstdint>

namespace toll::net {

// Bytes of one chunk of unsent output, and what a writer may ask for in one piece.
inline constexpr size_t kOutputChunkBytes = 16 * 1024;
inline constexpr size_t kOutputPieceMax = 2048;

// Workers in one process; mailboxes are made for each ordered pair.
inline constexpr uint32_t kWorkersMax = 64;
// Those who have a mailbox: the workers, and two threads for the disk.
inline constexpr uint32_t kDesksMax = kWorkersMax + 2;

// What the loop does in one turn before it looks elsewhere, epoll only: connections taken from one
// listener, pieces received on one descriptor, descriptors told of in one wait.
inline constexpr int kAcceptsPerTurnMax = 64;
inline constexpr int kReceivesPerTurnMax = 8;
inline constexpr int kEpollEventsMax = 256;

// How long accepting pauses when the process is out of descriptors or memory.
inline constexpr int64_t kAcceptPauseNs = 10'000'000;

// Bytes that may be read behind whatever was received, in every buffer that a loop or a session
// keeps it in; what they hold means nothing. A reader of wide steps (simdjson) needs no copy then:
// it looks at whole blocks, and the last one of what it is given ends behind it.
inline constexpr size_t kReadSlackBytes = 64;

// Receive buffers of one ring: their ids are 15 bits wide.
inline constexpr uint32_t kReceiveBuffersMax = 32768;

// What one reply of Redis may be: arrays in arrays, elements in all of them together, bytes of one
// string, of one line (a status, an error, a number) and of all strings together. Past it the
// connection is given up.
inline constexpr uint32_t kRedisDepthMax = 7;
inline constexpr uint32_t kRedisElementsMax = 64 * 1024;
inline constexpr size_t kRedisStringMax = size_t{4} << 20;
inline constexpr size_t kRedisLineMax = size_t{64} << 10;
inline constexpr size_t kRedisReplyMax = size_t{16} << 20;

// Addresses kept of one name; and what is told of an error that Redis sent.
inline constexpr size_t kRedisEndpointsMax = 16;
inline constexpr size_t kRedisErrorTextMax = 160;

// The HTTP server: connections at a time, bytes of a request, and how long a connection may last.
inline constexpr uint32_t kHttpConnectionsMax = 16;
inline constexpr size_t kHttpRequestMax = 8192;
inline constexpr int64_t kHttpConnectionNs = 10'000'000'000;

// A connection to Redis over TCP that nothing comes back on: how long sent bytes may stay
// unacknowledged, and when the kernel asks whether an idle peer is still there.
inline constexpr uint32_t kRedisUserTimeoutMs = 3000;
inline constexpr int kRedisKeepIdleS = 5;
inline constexpr int kRedisKeepIntervalS = 1;
inline constexpr int kRedisKeepCount = 3;

static_assert(kRedisLineMax <= kRedisStringMax && kRedisStringMax <= kRedisReplyMax);
static_assert(kOutputPieceMax <= kOutputChunkBytes / 4);

}  // namespace toll::net
