#include "engine/hot_keys.h"

#include <algorithm>

namespace toll::engine {
namespace {

uint64_t get(const std::atomic<uint64_t>& word) {
  return word.load(std::memory_order_relaxed);
}

void set(std::atomic<uint64_t>& word, uint64_t value) {
  word.store(value, std::memory_order_relaxed);
}

}  // namespace

// Marsaglia's xorshift; even from 1 to twice the average less one.
uint32_t HotKeys::next_distance() {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  return 1 + static_cast<uint32_t>((random_ >> 32) % (2 * kHotSampleEvery - 1));
}

void HotKeys::add(uint16_t policy, const KeyHash& key) {
  const uint64_t word = uint64_t{policy} << kHashBits | hash_of(key.rest);
  set(samples_, get(samples_) + 1);
#pragma GCC unroll 8
  for (size_t i = 0; i < kHotKeys; ++i) {
    if (get(words_[i]) == word) return set(counts_[i], get(counts_[i]) + 1);
  }
  const size_t smallest = find_smallest();
  const uint64_t least = get(counts_[smallest]);
  // In this order a reader in between takes the old key's count for error, and not for the new's.
  set(errors_[smallest], least);
  set(words_[smallest], word);
  set(counts_[smallest], least + 1);
}

// Counts only rise, so one that was looked at and is above the least stays above it: what was
// looked at need not be looked at again until there is none left.
size_t HotKeys::find_smallest() {
  while (true) {
    for (; looked_at_ < kHotKeys; ++looked_at_) {
      if (get(counts_[looked_at_]) <= least_) return looked_at_;
    }
    looked_at_ = 0;
    least_ = UINT64_MAX;
    for (const Word& count : counts_) least_ = std::min(least_, get(count));
  }
}

void HotKeys::age() {
  if (get(samples_) < kHotAgeSamplesMin) return;
  set(samples_, get(samples_) / 2);
  looked_at_ = kHotKeys;  // counts fall this once
  for (size_t i = 0; i < kHotKeys; ++i) {
    const uint64_t own = (get(counts_[i]) - get(errors_[i])) / 2;
    set(errors_[i], get(errors_[i]) / 2);
    set(counts_[i], get(errors_[i]) + own);
  }
}

uint64_t HotKeys::read(std::vector<Counted>& out) const {
  for (size_t i = 0; i < kHotKeys; ++i) {
    const uint64_t count = get(counts_[i]);
    const uint64_t error = get(errors_[i]);
    if (count > error) out.push_back({get(words_[i]), count - error});
  }
  return get(samples_);
}

std::vector<HotKey> hottest(std::span<const HotKeys* const> sketches, size_t most) {
  std::vector<HotKeys::Counted> counted;
  uint64_t samples = 0;
  for (const HotKeys* sketch : sketches) samples += sketch->read(counted);
  std::ranges::sort(counted, {}, &HotKeys::Counted::word);
  std::vector<HotKeys::Counted> summed;
  for (const HotKeys::Counted& each : counted) {
    if (!summed.empty() && summed.back().word == each.word) {
      summed.back().count += each.count;
    } else {
      summed.push_back(each);
    }
  }
  std::ranges::stable_sort(summed, std::ranges::greater{}, &HotKeys::Counted::count);
  if (summed.size() > most) summed.resize(most);
  std::vector<HotKey> hot;
  for (const HotKeys::Counted& each : summed) {
    const double share = static_cast<double>(each.count) / static_cast<double>(samples);
    hot.push_back(
        {HotKeys::policy_of(each.word), HotKeys::hash_of(each.word), std::min(share, 1.0)});
  }
  return hot;
}

}  // namespace toll::engine
