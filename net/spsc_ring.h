// A bounded queue of pointers between exactly two threads: one puts, one takes.
//
// What is put becomes visible to the taker with publish(), so that a whole batch costs one shared
// store. Each side keeps a copy of the other's position and looks at the real one only when the
// copy says full or empty; the two sides' positions lie on cache lines of their own. After Lamport,
// "Specifying Concurrent Program Modules" (1983), with cached indices.
#pragma once

#include <atomic>
#include <cassert>
#include <cstddef>
#include <memory>

namespace toll::net {

inline constexpr size_t kCacheLineBytes = 64;

template <class T>
class SpscRing {
 public:
  // REQUIRES: capacity is a power of two.
  explicit SpscRing(size_t capacity)
      : mask_(capacity - 1), slots_(std::make_unique<T*[]>(capacity)) {
    assert(capacity > 0 && (capacity & mask_) == 0);
  }

  // Putter: false when full. Not visible to the taker before publish().
  [[nodiscard]] bool put(T* item) {
    if (put_ - taken_seen_ > mask_) {
      taken_seen_ = taken_.load(std::memory_order_acquire);
      if (put_ - taken_seen_ > mask_) return false;
    }
    slots_[put_ & mask_] = item;
    ++put_;
    return true;
  }

  // Putter: shows what was put. True if there was anything new.
  bool publish() {
    if (put_ == published_.load(std::memory_order_relaxed)) return false;
    // Sequentially consistent, as in empty(): who sleeps and who sends must not miss each other
    // (net/post_office.h).
    published_.store(put_, std::memory_order_seq_cst);
    return true;
  }

  // Taker: null when there is nothing.
  T* take() {
    if (take_ == published_seen_) {
      published_seen_ = published_.load(std::memory_order_acquire);
      if (take_ == published_seen_) return nullptr;
    }
    T* item = slots_[take_ & mask_];
    ++take_;
    return item;
  }

  // Taker: gives the places of what was taken back to the putter. Once per batch.
  void release() {
    if (take_ != taken_.load(std::memory_order_relaxed)) {
      taken_.store(take_, std::memory_order_release);
    }
  }

  // Taker: is there nothing to take?
  bool empty() const { return take_ == published_.load(std::memory_order_seq_cst); }

  size_t capacity() const { return mask_ + 1; }

 private:
  const size_t mask_;
  const std::unique_ptr<T*[]> slots_;
  alignas(kCacheLineBytes) std::atomic<size_t> published_{0};
  size_t put_ = 0;  // the putter's own
  size_t taken_seen_ = 0;
  alignas(kCacheLineBytes) std::atomic<size_t> taken_{0};
  size_t take_ = 0;  // the taker's own
  size_t published_seen_ = 0;
};

}  // namespace toll::net
