#include "tests/sim/redis_keys.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <limits>

namespace toll::sim {

std::optional<double> SortedSet::score(std::string_view member) const {
  const auto found = scores_.find(member);
  if (found == scores_.end()) return std::nullopt;
  return found->second;
}

bool SortedSet::put(std::string_view member, double score) {
  const auto found = scores_.find(member);
  if (found == scores_.end()) {
    scores_.emplace(member, score);
    order_.insert({score, std::string(member)});
    return true;
  }
  if (found->second == score) return false;
  order_.erase({found->second, found->first});
  found->second = score;
  order_.insert({score, found->first});
  return false;
}

bool SortedSet::erase(std::string_view member) {
  const auto found = scores_.find(member);
  if (found == scores_.end()) return false;
  order_.erase({found->second, found->first});
  scores_.erase(found);
  return true;
}

void SortedSet::erase_ranks(size_t first, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    const auto entry = order_.find_by_order(first);
    scores_.erase(entry->member);
    order_.erase(entry);
  }
}

size_t SortedSet::below(double score) const {
  // No member comes before the empty one.
  return order_.order_of_key({score, {}});
}

size_t SortedSet::up_to(double score) const {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  return score == kInfinity ? size() : below(std::nextafter(score, kInfinity));
}

const std::string* Hash::find(std::string_view field) const {
  const auto found = fields_.find(field);
  return found == fields_.end() ? nullptr : &found->second.value;
}

bool Hash::put(std::string_view field, std::string_view value) {
  const auto found = fields_.find(field);
  if (found != fields_.end()) {
    found->second.value = value;
    return false;
  }
  fields_.emplace(field, Field{std::string(value), next_place_++});
  return true;
}

bool Hash::erase(std::string_view field) {
  const auto found = fields_.find(field);
  if (found == fields_.end()) return false;
  fields_.erase(found);
  return true;
}

std::vector<std::pair<std::string_view, std::string_view>> Hash::in_order() const {
  std::vector<decltype(fields_)::const_pointer> fields;
  for (const auto& field : fields_) fields.push_back(&field);
  std::ranges::sort(fields, {}, [](const auto* field) { return field->second.place; });
  std::vector<std::pair<std::string_view, std::string_view>> pairs;
  for (const auto* field : fields) pairs.emplace_back(field->first, field->second.value);
  return pairs;
}

std::string_view type_name(const Value& value) {
  constexpr std::array<std::string_view, 5> kNames{"string", "list", "hash", "zset", "set"};
  static_assert(kNames.size() == std::variant_size_v<Value>);
  return kNames.at(value.index());
}

namespace {

bool is_over(const Key& key, int64_t now_ms) {
  return key.expires_ms != Key::kNever && now_ms > key.expires_ms;
}

}  // namespace

Key* Keys::find(std::string_view name, int64_t now_ms) {
  const auto found = keys_.find(name);
  if (found == keys_.end()) return nullptr;
  if (!is_over(found->second, now_ms)) return &found->second;
  keys_.erase(found);
  return nullptr;
}

const Key* Keys::find(std::string_view name, int64_t now_ms) const {
  const auto found = keys_.find(name);
  return found == keys_.end() || is_over(found->second, now_ms) ? nullptr : &found->second;
}

Key& Keys::put(std::string_view name, Value value, int64_t now_ms) {
  const auto found = keys_.find(name);
  if (found != keys_.end()) {
    found->second = {std::move(value), Key::kNever};
    return found->second;
  }
  if (keys_.size() >= sweep_at_) sweep(now_ms);
  return keys_.emplace(name, Key{std::move(value), Key::kNever}).first->second;
}

bool Keys::erase(std::string_view name, int64_t now_ms) {
  const auto found = keys_.find(name);
  if (found == keys_.end()) return false;
  const bool was_there = !is_over(found->second, now_ms);
  keys_.erase(found);
  return was_there;
}

size_t Keys::size(int64_t now_ms) const {
  const auto is_there = [now_ms](const auto& entry) { return !is_over(entry.second, now_ms); };
  return static_cast<size_t>(std::ranges::count_if(keys_, is_there));
}

std::vector<std::string_view> Keys::names(int64_t now_ms) const {
  std::vector<std::string_view> names;
  for (const auto& [name, key] : keys_) {
    if (!is_over(key, now_ms)) names.emplace_back(name);
  }
  std::ranges::sort(names);
  return names;
}

// Each time that the keys may have doubled, so that a key costs the same however many there are.
void Keys::sweep(int64_t now_ms) {
  std::erase_if(keys_, [now_ms](const auto& entry) { return is_over(entry.second, now_ms); });
  sweep_at_ = std::max<size_t>(1024, 2 * keys_.size());
}

}  // namespace toll::sim
