// The memory of a shard's keys: blocks of 40 bytes, all alike, so that what one key frees serves
// any other, whatever its algorithm.
//
//   page 0            page 1            ...
//   +----+----+----+  +----+----+----+  a page is a power of two of blocks, allocated when the
//   |  - |  1 |  2 |  |  n |n+1 |... |  free list is empty and never moved, so growing never pauses
//   +----+----+----+  +----+----+----+  and references stay good; its memory is first touched on
//   use
//
// A block is named by a 32-bit handle; 0 is none. Every block begins with the handle of the next
// one of its chain, and the free list is such a chain: a whole chain is freed by one splice.
//
// Pages are not given back before the store dies. So that pages can never starve the index, they
// take no more than 13/16 of the budget: what is left indexes one key for each block.
//
// Owned by a shard, touched by its thread alone.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <vector>

#include "engine/memory_budget.h"

namespace toll::engine {

using BlockHandle = uint32_t;
inline constexpr BlockHandle kNoBlock = 0;
inline constexpr size_t kBlockBytes = 40;

// What every block begins with; the kinds of block derive from it.
struct BlockLink {
  BlockHandle next;
};

class BlockStore {
 public:
  // `budget` must outlive the store. Takes the page table's bytes from it; allocates no page yet.
  explicit BlockStore(MemoryBudget& budget);
  ~BlockStore();
  BlockStore(const BlockStore&) = delete;
  BlockStore& operator=(const BlockStore&) = delete;

  // True: the next `blocks` calls of take() will succeed. False: the budget does not allow it.
  // Allocates pages, each once.
  [[nodiscard]] bool reserve(size_t blocks) {
    while (available_ < blocks) {
      if (!grow()) return false;
    }
    return true;
  }

  // A block with undefined contents, or kNoBlock if none is reserved or free. Never allocates.
  [[nodiscard]] BlockHandle take();

  // Frees one block.
  void give(BlockHandle block) { give_chain(block, block, 1); }

  // Frees `blocks` blocks linked from `first` to `last`, at the cost of one.
  void give_chain(BlockHandle first, BlockHandle last, size_t blocks);

  // The block as what its owner made of it. REQUIRES: `block` was taken and not given back.
  template <typename T>
  T& at(BlockHandle block) const {
    static_assert(sizeof(T) == kBlockBytes && std::is_trivially_copyable_v<T>);
    static_assert(std::is_base_of_v<BlockLink, T>);
    return *static_cast<T*>(address(block));
  }

  BlockHandle next_of(BlockHandle block) const { return link(block).next; }

  // Hints the processor to fetch a block that will be read soon.
  void prefetch(BlockHandle block) const {
    const char* bytes = static_cast<const char*>(address(block));
    __builtin_prefetch(bytes);
    __builtin_prefetch(bytes + kBlockBytes - 1);  // half of all blocks lie across two cache lines
  }

  size_t in_use() const { return in_use_; }
  size_t page_bytes() const { return kBlockBytes << page_bits_; }

 private:
  bool grow();

  void* address(BlockHandle block) const {
    assert(block != kNoBlock && block < fresh_);
    return pages_[block >> page_bits_].get() + (block & page_mask_) * kBlockBytes;
  }
  BlockLink& link(BlockHandle block) const { return *static_cast<BlockLink*>(address(block)); }

  MemoryBudget& budget_;
  uint32_t page_bits_;
  uint32_t page_mask_;
  size_t pages_max_;
  size_t table_bytes_;
  std::vector<std::unique_ptr<std::byte[]>> pages_;
  BlockHandle free_ = kNoBlock;  // head of the free list
  BlockHandle fresh_ = 0;        // the first block never used yet
  size_t available_ = 0;         // free or fresh
  size_t in_use_ = 0;
};

}  // namespace toll::engine
