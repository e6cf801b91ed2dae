// A queue of 64-bit words in chained blocks: what a sliding log keeps its entries in.
//
//   first                                last
//   +----------------+   +----------+   +----------------+
//   | . . w w        |<->| w w w w  |<->| w w w . .      |   four words to a block
//   +----------------+   +----------+   +----------------+
//        `- front
//
// Twelve bytes without anything to destroy: whoever holds a queue copies it like a number, changes
// one copy, and clears it before letting it go. The block store is handed to each call. Touched by
// the thread of the shard that owns the store.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>

#include "engine/block_store.h"

namespace toll::engine {

struct WordBlock : BlockLink {
  BlockHandle prev;
  uint64_t words[4];
};

class WordQueue {
 public:
  static constexpr uint32_t kPerBlock = 4;

  uint32_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  size_t blocks() const { return (front_ + size_ + kPerBlock - 1) / kPerBlock; }

  // REQUIRES: one block reserved in `store`.
  void push_back(BlockStore& store, uint64_t word) {
    const uint32_t slot = (front_ + size_) % kPerBlock;
    if (empty()) {
      first_ = last_ = store.take();
      front_ = 0;
      store.at<WordBlock>(last_).words[0] = word;
    } else if (slot == 0) {
      const BlockHandle added = store.take();
      store.at<WordBlock>(last_).next = added;
      store.at<WordBlock>(added).prev = last_;
      store.at<WordBlock>(added).words[0] = word;
      last_ = added;
    } else {
      store.at<WordBlock>(last_).words[slot] = word;
    }
    ++size_;
  }

  // All of these REQUIRE: not empty.
  uint64_t front(const BlockStore& store) const {
    assert(!empty());
    return store.at<WordBlock>(first_).words[front_];
  }
  uint64_t& back(BlockStore& store) const {
    assert(!empty());
    return store.at<WordBlock>(last_).words[(front_ + size_ - 1) % kPerBlock];
  }
  void pop_front(BlockStore& store) {
    assert(!empty());
    if (size_ == 1) return clear(store);
    --size_;
    front_ = (front_ + 1) % kPerBlock;
    if (front_ != 0) return;
    const BlockHandle emptied = first_;
    first_ = store.next_of(emptied);
    store.give(emptied);
  }
  void pop_back(BlockStore& store) {
    assert(!empty());
    if (size_ == 1) return clear(store);
    --size_;
    if ((front_ + size_) % kPerBlock != 0) return;
    const BlockHandle emptied = last_;
    last_ = store.at<WordBlock>(emptied).prev;
    store.give(emptied);
  }

  // Calls visit(word) from the oldest on until it returns false.
  template <typename Visit>
  void walk(const BlockStore& store, Visit&& visit) const {
    BlockHandle block = first_;
    uint32_t slot = front_;
    for (uint32_t left = size_; left > 0; --left) {
      if (!visit(store.at<WordBlock>(block).words[slot])) return;
      if (++slot == kPerBlock && left > 1) {
        slot = 0;
        block = store.next_of(block);
      }
    }
  }

  // Frees everything at once, however long the queue.
  void clear(BlockStore& store) {
    if (!empty()) store.give_chain(first_, last_, blocks());
    *this = {};
  }

 private:
  BlockHandle first_ = kNoBlock;
  BlockHandle last_ = kNoBlock;
  uint32_t front_ : 2 = 0;  // place of the oldest word in its block
  uint32_t size_ : 30 = 0;
};

static_assert(sizeof(WordQueue) == 12);

}  // namespace toll::engine
