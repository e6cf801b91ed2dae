// Bytes on their way out: a queue of fixed chunks from a pool, filled at the back while the kernel
// reads the front. Chunks go back to the pool as they are sent, so an idle stream holds none.
//
//   front [ sent | in flight .......... ] -> [ full ... ] -> [ filled | room ] back
//
// One thread. Steady traffic allocates nothing: the pool keeps what it once handed out, up to its
// cap.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "net/limits.h"

namespace toll::net {

struct OutputChunk {
  OutputChunk* next = nullptr;
  uint32_t begin = 0;  // first byte not yet sent
  uint32_t end = 0;    // one past the last byte written
  char bytes[kOutputChunkBytes];
};

class ChunkPool {
 public:
  explicit ChunkPool(size_t keep_max = 256) : keep_max_(keep_max) {}
  ~ChunkPool();
  ChunkPool(const ChunkPool&) = delete;
  ChunkPool& operator=(const ChunkPool&) = delete;

  OutputChunk* take();
  void give(OutputChunk* chunk);

 private:
  OutputChunk* free_ = nullptr;
  size_t kept_ = 0;
  size_t keep_max_;
};

class OutputBuffer {
 public:
  explicit OutputBuffer(ChunkPool& pool) : pool_(pool) {}
  ~OutputBuffer() { clear(); }
  OutputBuffer(const OutputBuffer&) = delete;
  OutputBuffer& operator=(const OutputBuffer&) = delete;

  // Room for `bytes` in one piece, to be followed by commit() with how many were written.
  // REQUIRES: bytes <= kOutputPieceMax.
  char* reserve(size_t bytes);
  void commit(size_t bytes);
  // Any amount, copied over as many chunks as it takes.
  void append(std::string_view bytes);

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // The oldest bytes that lie in one piece; they stay where they are until consume().
  std::span<const char> front() const;
  void consume(size_t bytes);  // REQUIRES: bytes <= front().size()
  void clear();

 private:
  void add_chunk();
  void drop_front();

  ChunkPool& pool_;
  OutputChunk* front_ = nullptr;
  OutputChunk* back_ = nullptr;
  size_t size_ = 0;
};

}  // namespace toll::net
