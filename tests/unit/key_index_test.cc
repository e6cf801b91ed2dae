// The index with segments of 16 slots, so that splits and merges come every few keys, against a
// standard map. TOLL_SEED replays a failure, which prints its seed.
#include "engine/key_index.h"

#include <cstdint>
#include <gtest/gtest.h>
#include <random>
#include <set>
#include <unordered_map>
#include <vector>

#include "engine/memory_budget.h"
#include "tests/unit/seed.h"

namespace toll::engine {
namespace {

using SmallIndex = KeyIndexOf<4>;

template <typename Index>
bool holds(const Index& index, uint32_t tag, BlockHandle block) {
  return index.find(tag, [&](BlockHandle found) { return found == block; }) == block;
}

// Every entry, by one round of a hand.
template <typename Index>
std::set<BlockHandle> walk(const Index& index) {
  std::set<BlockHandle> met;
  typename Index::Hand hand;
  size_t slots = index.slots();
  for (auto entry = index.next(hand, slots); entry.block != kNoBlock;
       entry = index.next(hand, slots)) {
    EXPECT_TRUE(met.insert(entry.block).second) << "met twice in a round";
  }
  return met;
}

// Random insertions and removals, of tags drawn by `draw`, swinging between few entries and many.
template <typename Draw>
void compare_with_map(Draw draw, int steps) {
  const uint64_t seed = test_seed(20'260'102);
  SCOPED_TRACE("TOLL_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  MemoryBudget budget(size_t{1} << 24);
  SmallIndex index(budget);
  std::unordered_map<BlockHandle, uint32_t> model;
  std::vector<BlockHandle> held;
  BlockHandle next = 1;
  for (int step = 0; step < steps; ++step) {
    const bool grows = random() % 10 < (step / 3000 % 2 == 0 ? 7u : 3u);
    if (grows || held.empty()) {
      const uint32_t tag = draw(random);
      if (!index.insert(tag, next)) continue;
      model[next] = tag;
      held.push_back(next++);
    } else {
      std::swap(held[random() % held.size()], held.back());
      const BlockHandle gone = held.back();
      held.pop_back();
      index.erase(model[gone], gone);
      ASSERT_FALSE(holds(index, model[gone], gone));
      model.erase(gone);
    }
    ASSERT_EQ(index.size(), model.size());
    if (step % 500 != 0) continue;
    for (const auto& [block, tag] : model) ASSERT_TRUE(holds(index, tag, block)) << step;
    ASSERT_EQ(walk(index), std::set<BlockHandle>(held.begin(), held.end()));
  }
}

TEST(KeyIndex, FindsWhatWasInsertedAndNothingElse) {
  compare_with_map([](std::mt19937_64& random) { return static_cast<uint32_t>(random()); }, 30'000);
}

TEST(KeyIndex, FindsWhatWasInsertedWhenTagsCollide) {
  // Few different top and low bits: long probes around the segments' ends, and equal tags.
  compare_with_map(
      [](std::mt19937_64& random) {
        return static_cast<uint32_t>(random() % 300 << 22 | random() % 3 * 7);
      },
      30'000);
}

TEST(KeyIndex, EqualTagsAreReportedFullAndNotSplitForever) {
  MemoryBudget budget(size_t{1} << 20);
  SmallIndex index(budget);
  BlockHandle block = 1;
  while (index.insert(0xabcdef01, block)) ++block;
  EXPECT_EQ(index.size(), SmallIndex::kUsedMax);
  EXPECT_LE(budget.used_bytes(), size_t{16} << 10);

  // Others still find room, and so does the tag itself once one of its kind is gone.
  EXPECT_TRUE(index.insert(0x01234567, 1000));
  index.erase(0xabcdef01, 1);
  EXPECT_TRUE(index.insert(0xabcdef01, 2000));
}

TEST(KeyIndex, WithoutMemoryAFullSegmentRefusesAndLosesNothing) {
  MemoryBudget budget(size_t{4} << 10);
  SmallIndex index(budget);
  std::mt19937_64 random(1);
  std::unordered_map<BlockHandle, uint32_t> model;
  BlockHandle block = 1;
  for (int refused = 0; refused < 50;) {
    const auto tag = static_cast<uint32_t>(random());
    if (index.insert(tag, block)) {
      model[block++] = tag;
      continue;
    }
    ++refused;
    // What sample() shows is what makes room.
    std::vector<SmallIndex::Entry> sample(SmallIndex::kSlots);
    ASSERT_EQ(index.sample(tag, sample), SmallIndex::kUsedMax);
    index.erase(sample[0].tag, sample[0].block);
    model.erase(sample[0].block);
    ASSERT_TRUE(index.insert(tag, block));
    model[block++] = tag;
  }
  EXPECT_LE(budget.used_bytes(), budget.limit_bytes());
  for (const auto& [held, tag] : model) EXPECT_TRUE(holds(index, tag, held));
}

TEST(KeyIndex, EmptiedSegmentsReturnTheirMemory) {
  MemoryBudget budget(size_t{1} << 20);
  SmallIndex index(budget);
  const size_t empty = budget.used_bytes();
  std::mt19937_64 random(2);
  std::vector<uint32_t> tags;
  for (BlockHandle block = 1; block <= 5000; ++block) {
    tags.push_back(static_cast<uint32_t>(random()));
    ASSERT_TRUE(index.insert(tags.back(), block));
  }
  EXPECT_GT(index.segments(), 300u);
  const size_t directory_max = 2 * 8 * 1024 * sizeof(void*);
  for (BlockHandle block = 1; block <= 5000; ++block) index.erase(tags[block - 1], block);
  EXPECT_EQ(index.segments(), 1u);
  EXPECT_LE(budget.used_bytes(), empty + directory_max);
}

TEST(KeyIndex, GrowsOneSegmentAtATime) {
  MemoryBudget budget(size_t{1} << 24);
  KeyIndex index(budget);
  std::mt19937_64 random(3);
  size_t segments = index.segments();
  for (BlockHandle block = 1; block <= 200'000; ++block) {
    ASSERT_TRUE(index.insert(static_cast<uint32_t>(random()), block));
    ASSERT_LE(index.segments(), segments + 1);
    segments = index.segments();
  }
  // 8 bytes an entry, at worst all segments just split.
  EXPECT_LE(budget.used_bytes(), 200'000 * 19u);
}

TEST(KeyIndex, AHandMeetsAllThatStayWhileOthersComeAndGo) {
  MemoryBudget budget(size_t{1} << 24);
  SmallIndex index(budget);
  std::mt19937_64 random(4);
  for (BlockHandle block = 1; block <= 1000; ++block) {
    ASSERT_TRUE(index.insert(static_cast<uint32_t>(random()), block));
  }
  std::set<BlockHandle> met;
  SmallIndex::Hand hand;
  // Splits on the way shift a few entries behind the hand; the next rounds meet them.
  for (BlockHandle block = 1001; block <= 6000; ++block) {
    ASSERT_TRUE(index.insert(static_cast<uint32_t>(random()), block));
    size_t slots = 64;
    const auto entry = index.next(hand, slots);
    if (entry.block != kNoBlock && entry.block <= 1000) met.insert(entry.block);
  }
  size_t slots = 2 * index.slots();
  for (auto entry = index.next(hand, slots); entry.block != kNoBlock;
       entry = index.next(hand, slots)) {
    if (entry.block <= 1000) met.insert(entry.block);
  }
  EXPECT_EQ(met.size(), 1000u);
}

}  // namespace
}  // namespace toll::engine
