#include "net/buffer_ring.h"

#include <bit>
#include <cassert>
#include <cerrno>
#include <sys/mman.h>
#include <unistd.h>

#include "net/limits.h"

namespace toll::net {

BufferRing::~BufferRing() {
  if (memory_ != nullptr) ::munmap(memory_, memory_bytes_);
}

int BufferRing::open(io_uring& ring, uint32_t count, uint32_t bytes) {
  assert(memory_ == nullptr && bytes > 0);
  assert(std::has_single_bit(count) && count <= kReceiveBuffersMax);
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const size_t ring_bytes = (count * sizeof(io_uring_buf) + page - 1) / page * page;
  const size_t stride = bytes + kReadSlackBytes;
  const size_t total = ring_bytes + count * stride;
  void* mapped = ::mmap(nullptr, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return errno;
  memory_ = static_cast<char*>(mapped);
  memory_bytes_ = total;
  // After a fork the first write would give us a copy and leave the kernel with the original.
  ::madvise(memory_, memory_bytes_, MADV_DONTFORK);
  entries_ = reinterpret_cast<io_uring_buf_ring*>(memory_);
  buffers_ = memory_ + ring_bytes;
  count_ = count;
  bytes_ = bytes;
  stride_ = stride;

  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<uintptr_t>(entries_);
  registration.ring_entries = count;
  registration.bgid = kGroup;
  const int result = io_uring_register_buf_ring(&ring, &registration, 0);
  if (result < 0) return -result;
  io_uring_buf_ring_init(entries_);
  for (uint32_t id = 0; id < count; ++id) add(static_cast<uint16_t>(id));
  publish();
  return 0;
}

std::span<char> BufferRing::data(uint16_t id, size_t length) {
  assert(id < count_ && length <= bytes_);
  return {buffer(id), length};
}

void BufferRing::give_back(uint16_t id) {
  assert(id < count_);
  add(id);
}

void BufferRing::publish() {
  if (unpublished_ == 0) return;
  io_uring_buf_ring_advance(entries_, unpublished_);
  unpublished_ = 0;
}

void BufferRing::add(uint16_t id) {
  assert(static_cast<uint32_t>(unpublished_) < count_);
  io_uring_buf_ring_add(entries_, buffer(id), bytes_, id, io_uring_buf_ring_mask(count_),
                        unpublished_);
  ++unpublished_;
}

}  // namespace toll::net
