// Bytes a session could not use yet: the beginning of a request whose rest has not come, or what
// arrived while the session had to wait. Most of the time empty, and then it holds no memory:
// buffers come from and go back to a pool of their worker. Behind the bytes lie kReadSlackBytes
// (net/limits.h) that may be read.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace toll::daemon {

class InputPool {
 public:
  static constexpr size_t kBufferBytes = 16 * 1024;

  // kBufferBytes, and the slack.
  std::unique_ptr<char[]> take();
  void give(std::unique_ptr<char[]> buffer);

 private:
  static constexpr size_t kKeepMax = 256;
  std::vector<std::unique_ptr<char[]>> free_;
};

class InputBuffer {
 public:
  explicit InputBuffer(InputPool& pool) : pool_(pool) {}
  ~InputBuffer() { clear(); }
  InputBuffer(const InputBuffer&) = delete;
  InputBuffer& operator=(const InputBuffer&) = delete;

  bool empty() const { return begin_ == end_; }
  size_t size() const { return end_ - begin_; }
  std::span<char> bytes() { return {buffer_.get() + begin_, size()}; }

  void append(std::span<const char> bytes);
  void drop(size_t bytes);  // from the front; REQUIRES: bytes <= size()
  void clear();

 private:
  void make_room(size_t bytes);

  InputPool& pool_;
  std::unique_ptr<char[]> buffer_;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
};

}  // namespace toll::daemon
