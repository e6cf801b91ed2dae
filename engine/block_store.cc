#include "engine/block_store.h"

#include <algorithm>
#include <limits>

namespace toll::engine {
namespace {

constexpr uint32_t kPageBitsMax = 12;  // 160 KiB
constexpr uint32_t kPageBitsMin = 4;
constexpr size_t kPagesPerBudget = 16;  // at least, so that a page is a small step of growth

uint32_t page_bits_for(size_t budget_bytes) {
  uint32_t bits = kPageBitsMax;
  while (bits > kPageBitsMin && (kBlockBytes << bits) > budget_bytes / kPagesPerBudget) --bits;
  return bits;
}

}  // namespace

BlockStore::BlockStore(MemoryBudget& budget)
    : budget_(budget),
      page_bits_(page_bits_for(budget.limit_bytes())),
      page_mask_((uint32_t{1} << page_bits_) - 1),
      pages_max_(std::min<size_t>(budget.limit_bytes() / 16 * 13 / page_bytes(),
                                  std::numeric_limits<BlockHandle>::max() >> page_bits_)),
      table_bytes_(pages_max_ * sizeof(pages_[0])) {
  [[maybe_unused]] const bool taken = budget_.take(table_bytes_);
  assert(taken);
  pages_.reserve(pages_max_);
}

BlockStore::~BlockStore() {
  budget_.give(table_bytes_ + pages_.size() * page_bytes());
}

bool BlockStore::grow() {
  if (pages_.size() == pages_max_ || !budget_.take(page_bytes())) return false;
  pages_.push_back(std::make_unique_for_overwrite<std::byte[]>(page_bytes()));
  available_ += size_t{1} << page_bits_;
  if (pages_.size() == 1) {
    fresh_ = kNoBlock + 1;
    --available_;
  }
  return true;
}

BlockHandle BlockStore::take() {
  if (available_ == 0) return kNoBlock;
  --available_;
  ++in_use_;
  if (free_ == kNoBlock) return fresh_++;
  const BlockHandle block = free_;
  free_ = next_of(block);
  return block;
}

void BlockStore::give_chain(BlockHandle first, BlockHandle last, size_t blocks) {
  assert(blocks > 0 && blocks <= in_use_);
  link(last).next = free_;
  free_ = first;
  available_ += blocks;
  in_use_ -= blocks;
}

}  // namespace toll::engine
