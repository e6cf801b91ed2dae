#include "net/output_buffer.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace toll::net {

ChunkPool::~ChunkPool() {
  while (free_ != nullptr) {
    OutputChunk* chunk = free_;
    free_ = chunk->next;
    delete chunk;
  }
}

OutputChunk* ChunkPool::take() {
  if (free_ == nullptr) return new OutputChunk;
  OutputChunk* chunk = free_;
  free_ = chunk->next;
  --kept_;
  chunk->next = nullptr;
  chunk->begin = 0;
  chunk->end = 0;
  return chunk;
}

void ChunkPool::give(OutputChunk* chunk) {
  assert(chunk != nullptr);
  if (kept_ == keep_max_) {
    delete chunk;
    return;
  }
  chunk->next = free_;
  free_ = chunk;
  ++kept_;
}

char* OutputBuffer::reserve(size_t bytes) {
  assert(bytes <= kOutputPieceMax);
  if (back_ == nullptr || kOutputChunkBytes - back_->end < bytes) add_chunk();
  return back_->bytes + back_->end;
}

void OutputBuffer::commit(size_t bytes) {
  assert(back_ != nullptr && bytes <= kOutputChunkBytes - back_->end);
  back_->end += static_cast<uint32_t>(bytes);
  size_ += bytes;
}

void OutputBuffer::append(std::string_view bytes) {
  while (!bytes.empty()) {
    if (back_ == nullptr || back_->end == kOutputChunkBytes) add_chunk();
    const size_t piece = std::min(bytes.size(), kOutputChunkBytes - back_->end);
    std::memcpy(back_->bytes + back_->end, bytes.data(), piece);
    commit(piece);
    bytes.remove_prefix(piece);
  }
}

std::span<const char> OutputBuffer::front() const {
  if (size_ == 0) return {};
  assert(front_->begin < front_->end);
  return {front_->bytes + front_->begin, front_->end - front_->begin};
}

void OutputBuffer::consume(size_t bytes) {
  assert(bytes <= front().size());
  if (bytes == 0) return;
  front_->begin += static_cast<uint32_t>(bytes);
  size_ -= bytes;
  while (front_ != nullptr && front_->begin == front_->end) drop_front();
}

void OutputBuffer::clear() {
  while (front_ != nullptr) drop_front();
  size_ = 0;
}

void OutputBuffer::add_chunk() {
  OutputChunk* chunk = pool_.take();
  if (back_ == nullptr) {
    front_ = chunk;
  } else {
    back_->next = chunk;
  }
  back_ = chunk;
}

void OutputBuffer::drop_front() {
  OutputChunk* chunk = front_;
  front_ = chunk->next;
  if (front_ == nullptr) back_ = nullptr;
  pool_.give(chunk);
}

}  // namespace toll::net
