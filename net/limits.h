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

// What the loop does in one turn before it looks elsewhere, epoll only: connections taken from one
// listener, pieces received on one descriptor, descriptors told of in one wait.
inline constexpr int kAcceptsPerTurnMax = 64;
inline constexpr int kReceivesPerTurnMax = 8;
inline constexpr int kEpollEventsMax = 256;

// How long accepting pauses when the process is out of descriptors or memory.
inline constexpr int64_t kAcceptPauseNs = 10'000'000;

// Receive buffers of one ring: their ids are 15 bits wide.
inline constexpr uint32_t kReceiveBuffersMax = 32768;

static_assert(kOutputPieceMax <= kOutputChunkBytes / 4);

}  // namespace toll::net
