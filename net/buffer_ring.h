// The receive buffers that io_uring fills: one pool for all sockets of a loop, handed to the kernel
// through a ring in shared memory.
//
//   memory_  [ ring: count entries | buffer 0 | slack | buffer 1 | slack | ... ]
//
// Behind each buffer lie kReadSlackBytes that the kernel is not told of: whoever reads past the end
// of what was received must not see what it writes there meanwhile.
//
// Belongs to a UringLoop and its thread, and must outlive the io_uring. The kernel takes a buffer
// for each piece of data; give_back() and, once a turn, publish() return it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <liburing.h>
#include <span>

namespace toll::net {

class BufferRing {
 public:
  // The group by which receives name this ring; it is the loop's only one.
  static constexpr uint16_t kGroup = 0;

  BufferRing() = default;
  ~BufferRing();
  BufferRing(const BufferRing&) = delete;
  BufferRing& operator=(const BufferRing&) = delete;

  // Maps the memory and registers it. 0, or an errno. Once.
  // REQUIRES: count is a power of two, at most kReceiveBuffersMax; bytes > 0.
  int open(io_uring& ring, uint32_t count, uint32_t bytes);

  // What the kernel wrote: `length` bytes in buffer `id`, ours until give_back().
  std::span<char> data(uint16_t id, size_t length);
  void give_back(uint16_t id);

  // Lets the kernel see what was given back.
  void publish();

 private:
  char* buffer(uint16_t id) { return buffers_ + id * stride_; }
  void add(uint16_t id);

  io_uring_buf_ring* entries_ = nullptr;
  char* memory_ = nullptr;
  size_t memory_bytes_ = 0;
  char* buffers_ = nullptr;
  uint32_t count_ = 0;
  uint32_t bytes_ = 0;  // of a buffer
  size_t stride_ = 0;   // from one to the next
  int unpublished_ = 0;
};

}  // namespace toll::net
