#include "engine/store_keys.h"

#include <array>
#include <cassert>
#include <numeric>

namespace toll::engine {
namespace {

constexpr std::string_view kTokens = ":tokens";
constexpr std::string_view kLast = ":last";

// The order of KEYS: what one MGET reads, then sorted sets, then fixed windows, whose keys the
// script completes; those of quick items before the others of their kind.
enum Kind : uint8_t { kQuickString, kString, kQuickSet, kSet, kBase, kKinds };

Kind kind_of(const StoreKey& key) {
  switch (key.algorithm) {
    case Algorithm::kGcra:
    case Algorithm::kTokenBucket:
    case Algorithm::kSlidingWindow:
      return key.quick ? kQuickString : kString;
    case Algorithm::kFixedWindow:
      return kBase;
    case Algorithm::kSlidingLog:
    case Algorithm::kConcurrency:
      return key.quick ? kQuickSet : kSet;
  }
  return kString;
}

// A token bucket has two.
uint32_t keys_of(Algorithm algorithm) {
  return algorithm == Algorithm::kTokenBucket ? 2 : 1;
}

}  // namespace

StoreKeys::StoreKeys() : map_(64) {}

void StoreKeys::clear() {
  cut_back_to(0);
  texts_.clear();
}

void StoreKeys::take_secret(const KeyHash& key) {
  if (hasher_) return;
  hasher_.emplace(std::array<uint64_t, 2>{key.rest, uint64_t{key.home} << 32 | key.tag});
}

uint32_t StoreKeys::find_or_add(const KeyNames& names, size_t limit, std::string_view id,
                                Algorithm algorithm, uint32_t rule) {
  const size_t begin = names_.size();
  names.append(limit, id, names_);
  if (algorithm == Algorithm::kTokenBucket) names_ += kTokens;
  const std::string_view name = std::string_view(names_).substr(begin);
  const KeyHash hash = (*hasher_)(0, name);

  const size_t mask = map_.size() - 1;
  size_t slot = hash.tag & mask;
  for (; map_[slot] != 0; slot = (slot + 1) & mask) {
    const uint32_t place = map_[slot] - 1;
    if (keys_[place].hash != hash.rest || name_of(keys_[place]) != name) continue;
    names_.resize(begin);
    return place;
  }

  const uint32_t place = size();
  StoreKey& key = keys_.emplace_back();
  key.hash = hash.rest;
  key.offset = static_cast<uint32_t>(begin);
  key.length = static_cast<uint32_t>(name.size());
  key.slot = static_cast<uint32_t>(slot);
  key.rule = rule;
  key.algorithm = algorithm;
  map_[slot] = place + 1;
  if (algorithm == Algorithm::kTokenBucket) {
    names.append(limit, id, names_);
    names_ += kLast;
  }
  if (2 * keys_.size() > map_.size()) grow();
  return place;
}

void StoreKeys::grow() {
  map_.assign(2 * map_.size(), 0);
  const size_t mask = map_.size() - 1;
  for (uint32_t place = 0; place < size(); ++place) {
    size_t slot = (*hasher_)(0, name_of(keys_[place])).tag & mask;
    while (map_[slot] != 0) slot = (slot + 1) & mask;
    map_[slot] = place + 1;
    keys_[place].slot = static_cast<uint32_t>(slot);
  }
}

// From the last one on, so that no search that goes past an emptied place finds less than it
// should.
void StoreKeys::cut_back_to(uint32_t size) {
  while (keys_.size() > size) {
    map_[keys_.back().slot] = 0;
    names_.resize(keys_.back().offset);
    keys_.pop_back();
  }
}

size_t StoreKeys::bytes_beside(Algorithm algorithm, size_t name) {
  return algorithm == Algorithm::kTokenBucket ? name + kTokens.size() + kLast.size() : 0;
}

StoreKeys::Strings StoreKeys::number_all() {
  std::array<uint32_t, kKinds> counts{};
  for (const StoreKey& key : keys_) counts[kind_of(key)] += keys_of(key.algorithm);
  std::array<uint32_t, kKinds> next{};
  std::exclusive_scan(counts.begin(), counts.end(), next.begin(), uint32_t{0});
  const Strings strings{counts[kQuickString], size_t{counts[kQuickString]} + counts[kString]};

  size_t texts = 0;
  for (const StoreKey& key : keys_) texts += keys_of(key.algorithm);
  texts_.resize(texts);
  for (StoreKey& key : keys_) {
    uint32_t& at = next[kind_of(key)];
    const std::string_view name = name_of(key);
    texts_[at] = name;
    key.number = at + 1;
    if (key.algorithm == Algorithm::kTokenBucket) {
      texts_[at + 1] = std::string_view(names_).substr(key.offset + key.length,
                                                       key.length - kTokens.size() + kLast.size());
    }
    at += keys_of(key.algorithm);
  }
  return strings;
}

}  // namespace toll::engine
