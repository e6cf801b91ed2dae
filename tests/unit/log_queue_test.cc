// Log records in one piece of memory, and the queue of them, each held against a plain list.
#include "engine/log_queue.h"

#include <algorithm>
#include <deque>
#include <gtest/gtest.h>
#include <iostream>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "engine/log_block.h"
#include "tests/unit/seed.h"

namespace toll::engine {
namespace {

constexpr int kLogSteps = 30'000;

class LogRandom {
 public:
  explicit LogRandom(uint64_t usual) : random_(test_seed(usual)) {
    std::cout << "TOLL_SEED=" << test_seed(usual) << '\n';
  }
  size_t below(size_t limit) { return random_() % limit; }
  // Each another, so that one in the place of another shows.
  std::string record() { return std::to_string(++records_) + std::string(below(20), 'x'); }

 private:
  std::mt19937_64 random_;
  uint64_t records_ = 0;
};

std::vector<std::string> all_of(const LogBlock& block) {
  std::vector<std::string> records;
  for (size_t i = 0; i < block.count(); ++i) records.emplace_back(block.at(i));
  return records;
}

TEST(LogBlock, IsAListOfRecords) {
  LogRandom random(3);
  LogBlock block;
  std::vector<std::string> model;
  for (int step = 0; step < kLogSteps; ++step) {
    const size_t what = random.below(100);
    if (what < 60) {
      model.push_back(random.record());
      block.add(model.back());
    } else if (what < 95) {
      const size_t records = random.below(std::min<size_t>(model.size(), 4) + 1);
      model.erase(model.begin(), model.begin() + static_cast<ptrdiff_t>(records));
      block.drop_front(records);
    } else if (what < 97) {
      model.clear();
      block.clear();
    } else if (what < 99) {
      LogBlock other = std::exchange(block, {});
      EXPECT_TRUE(block.empty());
      block = std::move(other);
    }
    size_t bytes = 0;
    for (const std::string& record : model) bytes += record.size();
    ASSERT_EQ(block.count(), model.size());
    ASSERT_EQ(block.bytes(), bytes);
    ASSERT_EQ(block.empty(), model.empty());
    if (step % 16 == 0) {
      ASSERT_EQ(all_of(block), model);
    }
  }
}

// Blocks of records with their times, dropped one record at a time.
struct QueueModel {
  struct Pushed {
    std::deque<std::string> records;
    TimeUs time;
  };

  uint64_t count() const {
    uint64_t sum = 0;
    for (const Pushed& each : blocks) sum += each.records.size();
    return sum;
  }
  uint64_t bytes() const {
    uint64_t sum = 0;
    for (const Pushed& each : blocks) {
      for (const std::string& record : each.records) sum += record.size();
    }
    return sum;
  }
  void drop_front() {
    blocks.front().records.pop_front();
    if (blocks.front().records.empty()) blocks.pop_front();
  }
  uint64_t push(std::deque<std::string> records, TimeUs now) {
    blocks.push_back({std::move(records), now});
    uint64_t dropped = 0;
    for (; count() > records_max || (bytes() > bytes_max && blocks.size() > 1); ++dropped) {
      drop_front();
    }
    return dropped;
  }
  std::vector<std::string> oldest(size_t most) const {
    std::vector<std::string> found;
    for (const Pushed& each : blocks) {
      for (const std::string& record : each.records) {
        if (found.size() < most) found.push_back(record);
      }
    }
    return found;
  }

  uint64_t records_max = 0;
  uint64_t bytes_max = 0;
  std::deque<Pushed> blocks;
};

void compare(const LogQueue& queue, const QueueModel& model, size_t most) {
  ASSERT_EQ(queue.count(), model.count());
  ASSERT_EQ(queue.empty(), model.blocks.empty());
  if (!queue.empty()) {
    ASSERT_EQ(queue.oldest(), model.blocks.front().time);
  }
  std::vector<std::string> found;
  queue.peek(most, [&](std::string_view record) {
    found.emplace_back(record);
    return true;
  });
  ASSERT_EQ(found, model.oldest(most));
}

class LogQueueModel : public ::testing::TestWithParam<std::pair<uint64_t, uint64_t>> {};

TEST_P(LogQueueModel, IsBoundedAndInOrder) {
  LogRandom random(11);
  const auto [records_max, bytes_max] = GetParam();
  LogQueue queue(records_max, bytes_max);
  QueueModel model{.records_max = records_max, .bytes_max = bytes_max, .blocks = {}};
  uint64_t dropped = 0;
  for (int step = 0; step < kLogSteps / 10; ++step) {
    const TimeUs now = step;
    const size_t what = random.below(100);
    LogBlock block;
    std::deque<std::string> records;
    for (size_t i = random.below(6) + 1; i > 0; --i) {
      records.push_back(random.record());
      block.add(records.back());
    }
    if (what < 50) {
      const uint64_t gone = queue.push(std::move(block), now);
      ASSERT_EQ(gone, model.push(records, now));
      dropped += gone;
      ASSERT_LE(queue.count(), records_max);
    } else if (what < 60) {
      const TimeUs time = model.blocks.empty() ? now : model.blocks.front().time;
      queue.put_back(std::move(block), now);
      model.blocks.push_front({records, time});
    } else if (what < 98) {
      for (size_t i = random.below(5); i > 0 && !queue.empty(); --i) {
        queue.drop_front();
        model.drop_front();
      }
    } else if (what < 99) {
      queue.clear();
      model.blocks.clear();
    }
    compare(queue, model, random.below(10) == 0 ? SIZE_MAX : random.below(8));
    if (HasFatalFailure()) return;
  }
  EXPECT_EQ(dropped > 0, records_max < 1'000 || bytes_max < 1'000);
}

INSTANTIATE_TEST_SUITE_P(Bounds, LogQueueModel,
                         ::testing::Values(std::pair<uint64_t, uint64_t>{5, 1 << 20},
                                           std::pair<uint64_t, uint64_t>{1 << 20, 40},
                                           std::pair<uint64_t, uint64_t>{7, 60},
                                           std::pair<uint64_t, uint64_t>{1 << 20, 1 << 20}));

TEST(LogQueue, APeekEndsWhereItIsTold) {
  LogQueue queue(100, 1'000);
  LogBlock block;
  for (const char* record : {"a", "bb", "ccc"}) block.add(record);
  queue.push(std::move(block), 1);
  std::string found;
  queue.peek(SIZE_MAX, [&](std::string_view record) {
    if (record.size() > 2) return false;
    found += record;
    return true;
  });
  EXPECT_EQ(found, "abb");
  EXPECT_EQ(queue.count(), 3U);
}

}  // namespace
}  // namespace toll::engine
