#include "daemon/input_buffer.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include "net/limits.h"

namespace toll::daemon {

namespace {

std::unique_ptr<char[]> make_buffer(size_t bytes) {
  return std::make_unique_for_overwrite<char[]>(bytes + net::kReadSlackBytes);
}

}  // namespace

std::unique_ptr<char[]> InputPool::take() {
  if (free_.empty()) return make_buffer(kBufferBytes);
  std::unique_ptr<char[]> buffer = std::move(free_.back());
  free_.pop_back();
  return buffer;
}

void InputPool::give(std::unique_ptr<char[]> buffer) {
  if (free_.capacity() < kKeepMax) free_.reserve(kKeepMax);
  if (free_.size() < kKeepMax) free_.push_back(std::move(buffer));
}

void InputBuffer::append(std::span<const char> bytes) {
  if (bytes.empty()) return;
  make_room(bytes.size());
  std::memcpy(buffer_.get() + end_, bytes.data(), bytes.size());
  end_ += bytes.size();
  // Read and not minded, but what was never written would be reported by valgrind.
  std::memset(buffer_.get() + end_, 0, net::kReadSlackBytes);
}

void InputBuffer::drop(size_t bytes) {
  assert(bytes <= size());
  begin_ += bytes;
  if (begin_ == end_) clear();
}

void InputBuffer::clear() {
  begin_ = end_ = 0;
  if (buffer_ == nullptr) return;
  if (capacity_ == InputPool::kBufferBytes) pool_.give(std::move(buffer_));
  buffer_.reset();
  capacity_ = 0;
}

void InputBuffer::make_room(size_t bytes) {
  if (buffer_ == nullptr && bytes <= InputPool::kBufferBytes) {
    buffer_ = pool_.take();
    capacity_ = InputPool::kBufferBytes;
    return;
  }
  if (capacity_ - end_ >= bytes) return;
  const size_t held = size();
  if (capacity_ - held >= bytes) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, held);
  } else {
    const size_t capacity = std::max(capacity_ * 2, held + bytes);
    auto larger = make_buffer(capacity);
    if (held > 0) std::memcpy(larger.get(), buffer_.get() + begin_, held);
    if (capacity_ == InputPool::kBufferBytes) pool_.give(std::move(buffer_));
    buffer_ = std::move(larger);
    capacity_ = capacity;
  }
  begin_ = 0;
  end_ = held;
}

}  // namespace toll::daemon
