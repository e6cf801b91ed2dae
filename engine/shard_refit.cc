// Fitting a key to its policy's limits as they are after a reload, on the key's next touch: what
// was used stays used.
#include <array>
#include <cassert>

#include "engine/shard_impl.h"

namespace toll::engine {
namespace {

// How well an old limit's state serves a new limit, best first.
enum class Likeness : uint8_t { kEqual, kSameWindow, kSameAlgorithm };

bool alike(const Limit& a, const Limit& b, Likeness likeness) {
  switch (likeness) {
    case Likeness::kEqual:
      return a == b;
    case Likeness::kSameWindow:
      return a.window_us == b.window_us && a.calendar == b.calendar;
    case Likeness::kSameAlgorithm:
      return true;
  }
  return false;
}

template <typename A>
void carry(BlockStore& store, const Limit& old_limit, const Limit& limit, typename A::State& state,
           TimeUs now) {
  if constexpr (kHasEntries<A>) {
    A::advance(store, old_limit, state, now);
  } else {
    A::advance(old_limit, state, now);
  }
  A::carry(old_limit, limit, state, now);
}

// The states for `rules`, each taken over from the old limit that it is most like. What no new
// limit took is freed.
template <typename A>
std::array<typename A::State, kLimitsPerPolicyMax> carried(BlockStore& store, const KeyHeader& key,
                                                           const Rules& old, const Rules& rules,
                                                           TimeUs now) {
  std::array<typename A::State, kLimitsPerPolicyMax> olds{};
  load_states<A>(store, key, {olds.data(), old.limits.size()});
  std::array<typename A::State, kLimitsPerPolicyMax> news{};
  std::array<bool, kLimitsPerPolicyMax> given{};
  std::array<bool, kLimitsPerPolicyMax> taken{};
  for (const Likeness likeness :
       {Likeness::kEqual, Likeness::kSameWindow, Likeness::kSameAlgorithm}) {
    for (size_t i = 0; i < rules.limits.size(); ++i) {
      for (size_t j = 0; j < old.limits.size() && !given[i]; ++j) {
        if (taken[j] || !alike(old.limits[j], rules.limits[i], likeness)) continue;
        carry<A>(store, old.limits[j], rules.limits[i], olds[j], now);
        news[i] = olds[j];
        given[i] = taken[j] = true;
      }
    }
  }
  if constexpr (kHasEntries<A>) {
    for (size_t j = 0; j < old.limits.size(); ++j) {
      if (!taken[j]) A::clear(store, olds[j]);
    }
  }
  return news;
}

}  // namespace

bool Shard::Impl::refit(const KeyHash& key, BlockHandle block, const Rules& rules, TimeUs now) {
  KeyHeader& header = keys_.header(block);
  assert(header.policy == rules.policy);
  const KeyShape shape = KeyShape::of(rules);
  const size_t held = blocks_for(header.shape);
  const size_t needed = blocks_for(shape);
  if (needed > held && !make_room_beside(key, block, needed - held, now)) return false;

  const Rules* old = rule_book_.of(header.policy, header.revision);
  with_algorithm(rules.algorithm, [&](auto algorithm) {
    using A = decltype(algorithm);
    std::array<typename A::State, kLimitsPerPolicyMax> states{};
    if (old != nullptr && old->algorithm == rules.algorithm && header.shape.fits(*old)) {
      states = carried<A>(keys_.blocks(), header, *old, rules, now);
    } else {
      keys_.free_entries(header);
    }
    keys_.reshape(block, shape);
    store_states<A>(keys_.blocks(), header, {states.data(), rules.limits.size()});
  });
  header.revision = rules.revision;
  return true;
}

}  // namespace toll::engine
