// A budget in bytes, shared by the parts of one shard that allocate.
//
// It only counts: whoever allocates takes the bytes first and gives them back after freeing. Owned
// by one shard and touched by its thread alone.
#pragma once

#include <cassert>
#include <cstddef>

namespace toll::engine {

class MemoryBudget {
 public:
  explicit MemoryBudget(size_t limit_bytes) : limit_bytes_(limit_bytes) {}

  // True: `bytes` are the caller's. False: they would go past the budget, and nothing was taken.
  [[nodiscard]] bool take(size_t bytes) {
    if (bytes > limit_bytes_ - used_bytes_) return false;
    used_bytes_ += bytes;
    return true;
  }

  // Gives back what was taken. REQUIRES: bytes <= used_bytes().
  void give(size_t bytes) {
    assert(bytes <= used_bytes_);
    used_bytes_ -= bytes;
  }

  size_t limit_bytes() const { return limit_bytes_; }
  size_t used_bytes() const { return used_bytes_; }

 private:
  size_t limit_bytes_;
  size_t used_bytes_ = 0;
};

}  // namespace toll::engine
