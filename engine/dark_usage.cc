#include "engine/dark_usage.h"

#include <algorithm>
#include <cassert>

#include "engine/limits.h"

namespace toll::engine {
namespace {

// The nodes of the list and of the tree with the allocator's own share, and the id's likewise.
constexpr size_t kNodesBytes = 96;
constexpr size_t kTextBytes = 24;

}  // namespace

bool outlasts_outages(const PolicySpec& spec) {
  if (spec.mode == Mode::kLocal || spec.algorithm == Algorithm::kConcurrency) return false;
  return std::ranges::any_of(
      spec.limits, [](const Limit& limit) { return limit.window_us >= kDarkWindowMinUs; });
}

void DarkUsage::note(uint16_t policy, std::string_view id, int64_t units) {
  assert(!id.empty() && id.size() <= kIdMax);
  assert(units > 0 && units <= kUnitsMax);
  if (const auto known = by_name_.find(Name{policy, id}); known != by_name_.end()) {
    Entry& entry = **known;
    const int64_t fits = std::min(units, kUnitsMax - entry.units);
    entry.units += fits;
    left_out_ += static_cast<uint64_t>(units - fits);
    return;
  }
  const size_t bytes = bytes_of(id);
  if (bytes > settings_.bytes_max - bytes_) {
    left_out_ += static_cast<uint64_t>(units);
    return;
  }
  entries_.push_back({policy, std::string(id), units});
  by_name_.insert(&entries_.back());
  bytes_ += bytes;
}

std::list<DarkUsage::Entry> DarkUsage::remove_oldest() {
  std::list<Entry> oldest;
  oldest.splice(oldest.end(), entries_, entries_.begin());
  by_name_.erase(&oldest.front());
  bytes_ -= bytes_of(oldest.front().id);
  return oldest;
}

size_t DarkUsage::bytes_of(std::string_view id) {
  return sizeof(Entry) + kNodesBytes + kTextBytes + id.size();
}

}  // namespace toll::engine
