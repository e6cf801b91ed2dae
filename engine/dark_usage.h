// What was admitted while the store was away, to be charged to it once when it is back.
//
//   note ──▶ (policy, id): units ──▶ take, oldest first ──▶ charged, or lost with the reply
//
// Kept for policies whose windows outlast an outage (outlasts_outages()); in a shorter window the
// usage has passed by the time the store could be told. An entry is handed out at most once: a
// charge whose reply was lost is not repeated, because counting twice would refuse clients what
// they never used, which is worse here than not counting.
//
// Belongs to a worker, beside its shard. Not on the hot path: only answers given without the store
// come here, at the cost of a search in a tree. A tree, because its ids are chosen by strangers,
// who can neither unbalance it nor make it pause to grow. Without entries it holds no memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "engine/policy.h"

namespace toll::engine {

// Usage of a window of at least this is charged after an outage.
inline constexpr int64_t kDarkWindowMinUs = 3600LL * 1'000'000;

// Whether usage in the dark of such a policy is to be noted: it is shared by way of the store, and
// one of its limits has a window of an hour or more. Tickets return by themselves. Any thread.
bool outlasts_outages(const PolicySpec& spec);

class DarkUsage {
 public:
  struct Settings {
    size_t bytes_max = size_t{16} << 20;  // of entries with all that they take
  };

  explicit DarkUsage(const Settings& settings) : settings_(settings) {}
  DarkUsage() : DarkUsage(Settings{}) {}
  DarkUsage(const DarkUsage&) = delete;
  DarkUsage& operator=(const DarkUsage&) = delete;

  // `units` more were used by `id`, which is copied. Added to what is noted of it already, which
  // keeps its age; one entry holds kUnitsMax units at most. What finds no room is left out and
  // counted. REQUIRES: an id of 1 to kIdMax bytes; 1 to kUnitsMax units.
  void note(uint16_t policy, std::string_view id, int64_t units);

  // Hands out up to `entries_max` entries, oldest first, as charge(uint16_t policy,
  // std::string_view id, int64_t units), and forgets each before it is handed out, so that
  // `charge` may note again. `id` is good during the call. Returns how many there were.
  template <typename Charge>
  size_t take(size_t entries_max, Charge&& charge) {
    size_t taken = 0;
    for (; taken < entries_max && !entries_.empty(); ++taken) {
      const std::list<Entry> oldest = remove_oldest();
      const Entry& entry = oldest.front();
      charge(entry.policy, std::string_view(entry.id), entry.units);
    }
    return taken;
  }

  size_t size() const { return entries_.size(); }
  size_t bytes() const { return bytes_; }          // never more than Settings::bytes_max
  uint64_t left_out() const { return left_out_; }  // units, ever

 private:
  struct Entry {
    uint16_t policy;
    std::string id;
    int64_t units;
  };
  using Name = std::pair<uint16_t, std::string_view>;
  struct ByName {
    // NOLINTNEXTLINE(readability-identifier-naming): the library's name
    using is_transparent = void;
    static Name name(const Entry* entry) { return {entry->policy, entry->id}; }
    static Name name(const Name& name) { return name; }
    bool operator()(const auto& a, const auto& b) const { return name(a) < name(b); }
  };

  static size_t bytes_of(std::string_view id);
  // The oldest entry, by itself. REQUIRES: there is one.
  std::list<Entry> remove_oldest();

  Settings settings_;
  std::list<Entry> entries_;          // oldest first
  std::set<Entry*, ByName> by_name_;  // the same
  size_t bytes_ = 0;
  uint64_t left_out_ = 0;
};

}  // namespace toll::engine
