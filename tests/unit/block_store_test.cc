#include "engine/block_store.h"

#include <cstdint>
#include <gtest/gtest.h>
#include <vector>

#include "engine/memory_budget.h"
#include "engine/word_queue.h"

namespace toll::engine {
namespace {

struct MarkedBlock : BlockLink {
  uint32_t mark;
  uint64_t filling[4];
};

class BlockStoreTest : public testing::Test {
 protected:
  BlockHandle take() { return store_.reserve(1) ? store_.take() : kNoBlock; }

  std::vector<BlockHandle> take_all() {
    std::vector<BlockHandle> taken;
    for (BlockHandle block = take(); block != kNoBlock; block = take()) taken.push_back(block);
    return taken;
  }

  MemoryBudget budget_{size_t{64} << 10};
  BlockStore store_{budget_};
};

TEST_F(BlockStoreTest, NoTwoBlocksOverlap) {
  const std::vector<BlockHandle> blocks = take_all();
  ASSERT_GT(blocks.size(), 1000u);
  for (const BlockHandle block : blocks) {
    MarkedBlock& note = store_.at<MarkedBlock>(block);
    note.next = note.mark = block;
    for (uint64_t& word : note.filling) word = block;
  }
  for (const BlockHandle block : blocks) {
    const MarkedBlock& note = store_.at<MarkedBlock>(block);
    EXPECT_EQ(note.next, block);
    EXPECT_EQ(note.mark, block);
    for (const uint64_t word : note.filling) EXPECT_EQ(word, block);
  }
}

TEST_F(BlockStoreTest, GrowsByPagesThatAreSmallBesideTheBudget) {
  size_t before = budget_.used_bytes();
  for (BlockHandle block = take(); block != kNoBlock; block = take()) {
    EXPECT_LE(budget_.used_bytes() - before, budget_.limit_bytes() / 16);
    before = budget_.used_bytes();
  }
}

TEST_F(BlockStoreTest, LeavesTheIndexItsShareOfTheBudget) {
  take_all();
  EXPECT_LE(budget_.used_bytes(), budget_.limit_bytes() / 16 * 13 + 1024);
  EXPECT_GT(budget_.used_bytes(), budget_.limit_bytes() / 16 * 11);
}

TEST_F(BlockStoreTest, AFreedBlockIsTakenAgainBeforeTheStoreGrows) {
  const std::vector<BlockHandle> blocks = take_all();
  const size_t full = budget_.used_bytes();
  for (const BlockHandle block : blocks) store_.give(block);
  EXPECT_EQ(store_.in_use(), 0u);
  EXPECT_EQ(take_all().size(), blocks.size());
  EXPECT_EQ(budget_.used_bytes(), full);
}

TEST_F(BlockStoreTest, AChainIsFreedWhole) {
  const std::vector<BlockHandle> blocks = take_all();
  for (size_t i = 0; i + 1 < blocks.size(); ++i)
    store_.at<MarkedBlock>(blocks[i]).next = blocks[i + 1];
  store_.give_chain(blocks.front(), blocks.back(), blocks.size());
  EXPECT_EQ(store_.in_use(), 0u);
  EXPECT_EQ(take_all().size(), blocks.size());
}

TEST_F(BlockStoreTest, WhatIsReservedCanBeTaken) {
  ASSERT_TRUE(store_.reserve(900));
  for (int i = 0; i < 900; ++i) EXPECT_NE(store_.take(), kNoBlock);
  EXPECT_FALSE(store_.reserve(100'000));
}

TEST(BlockStore, ReturnsItsBytesToTheBudget) {
  MemoryBudget budget(size_t{1} << 20);
  {
    BlockStore store(budget);
    EXPECT_TRUE(store.reserve(5000));
    EXPECT_GT(budget.used_bytes(), 5000 * kBlockBytes);
  }
  EXPECT_EQ(budget.used_bytes(), 0u);
}

// A queue of words and the deque that it stands for.
class WordQueueTest : public BlockStoreTest {
 protected:
  void push(uint64_t word) {
    ASSERT_TRUE(store_.reserve(1));
    queue_.push_back(store_, word);
  }
  std::vector<uint64_t> words() const {
    std::vector<uint64_t> all;
    queue_.walk(store_, [&](uint64_t word) {
      all.push_back(word);
      return true;
    });
    return all;
  }

  WordQueue queue_;
};

TEST_F(WordQueueTest, KeepsItsOrderWhateverIsPushedAndPopped) {
  std::vector<uint64_t> expected;
  uint64_t word = 0;
  for (int round = 0; round < 2000; ++round) {
    // Grows and shrinks by turns, at both ends, through every place within a block.
    const bool grows = round / 37 % 2 == 0;
    if (grows || expected.empty()) {
      push(++word);
      expected.push_back(word);
    } else if (round % 3 == 0) {
      queue_.pop_back(store_);
      expected.pop_back();
    } else {
      queue_.pop_front(store_);
      expected.erase(expected.begin());
    }
    ASSERT_EQ(words(), expected) << round;
    ASSERT_EQ(queue_.size(), expected.size());
    ASSERT_EQ(store_.in_use(), queue_.blocks()) << round;
    if (expected.empty()) continue;
    ASSERT_EQ(queue_.front(store_), expected.front());
    ASSERT_EQ(queue_.back(store_), expected.back());
  }
}

TEST_F(WordQueueTest, ClearFreesEveryBlock) {
  for (uint64_t length = 1; length < 20; ++length) {
    for (uint64_t i = 0; i < length; ++i) push(i);
    if (length > 3) queue_.pop_front(store_);
    queue_.clear(store_);
    EXPECT_EQ(store_.in_use(), 0u) << length;
    EXPECT_TRUE(queue_.empty());
  }
}

}  // namespace
}  // namespace toll::engine
