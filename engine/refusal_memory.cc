#include "engine/refusal_memory.h"

#include <algorithm>
#include <bit>
#include <cassert>

#include "engine/flaws.h"
#include "engine/limits.h"

namespace toll::engine {

RefusalMemory::RefusalMemory(size_t bytes)
    : entries_(std::bit_floor(std::max(bytes / sizeof(Entry), kBucketEntries))),
      bucket_mask_(entries_.size() / kBucketEntries - 1) {}

void RefusalMemory::note(const KeyHash& key, int64_t units, const Answer& answer, TimeUs sent,
                         TimeUs answered, int64_t most_us) {
  assert(units > 0 && units <= kUnitsMax && sent <= answered);
  static_assert(kLimitCountMax <= INT32_MAX && kDebtUnitsMax <= INT32_MAX);
  const bool never = answer.retry_us == kNever;
  int64_t wait_us = never ? most_us : std::min(answer.retry_us, most_us);
  if (wait_us <= 0) return;
  if (flawed(Flaw::kRemembersTooLong)) wait_us += most_us / 2;

  const std::span<Entry> bucket = bucket_of(key);
  auto place = std::ranges::find_if(bucket, [&](const Entry& e) { return e.is_of(key, units); });
  if (place == bucket.end()) {
    // What cannot be recalled at `sent` counts as ended long ago, also where that is because the
    // clock stepped back.
    place = std::ranges::min_element(bucket, std::ranges::less{}, [sent](const Entry& e) {
      return e.certain_at(sent) ? e.ends_at : TimeUs{0};
    });
  }
  *place = {.key = key,
            .units = static_cast<uint32_t>(units),
            .never = never,
            .limit = static_cast<int32_t>(answer.limit),
            .remaining = static_cast<int32_t>(answer.remaining),
            .sent = sent,
            .ends_at = sent + wait_us,
            .retry_at = answered + std::max(answer.retry_us, wait_us),
            .reset_at = answered + answer.reset_us};
}

std::optional<Answer> RefusalMemory::recall(const KeyHash& key, int64_t units, TimeUs now) const {
  for (const Entry& entry : bucket_of(key)) {
    if (!entry.is_of(key, units)) continue;
    if (!entry.certain_at(now)) return std::nullopt;
    return Answer{entry.limit, entry.remaining, entry.never ? kNever : entry.retry_at - now,
                  std::max(entry.reset_at - now, int64_t{0})};
  }
  return std::nullopt;
}

void RefusalMemory::forget(const KeyHash& key) {
  for (Entry& entry : bucket_of(key)) {
    if (entry.key == key) entry = {};
  }
}

void RefusalMemory::forget_all() {
  std::ranges::fill(entries_, Entry{});
}

size_t RefusalMemory::size(TimeUs now) const {
  return static_cast<size_t>(
      std::ranges::count_if(entries_, [now](const Entry& entry) { return entry.certain_at(now); }));
}

std::span<RefusalMemory::Entry> RefusalMemory::bucket_of(const KeyHash& key) {
  return std::span(entries_).subspan((key.tag & bucket_mask_) * kBucketEntries, kBucketEntries);
}

std::span<const RefusalMemory::Entry> RefusalMemory::bucket_of(const KeyHash& key) const {
  return std::span(entries_).subspan((key.tag & bucket_mask_) * kBucketEntries, kBucketEntries);
}

}  // namespace toll::engine
