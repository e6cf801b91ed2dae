#include "engine/leases.h"

#include <algorithm>
#include <bit>
#include <cassert>

#include "engine/exact.h"
#include "engine/flaws.h"

namespace toll::engine {
namespace {

// Of the shortest time in which a limit comes back, a slice lives for this part: what the store
// holds for it, it holds as if nothing came back meanwhile.
constexpr int64_t kLifeParts = 100;

// Demand is counted in periods, and told by the second. A period ends when there were as many
// requests as say something, however they come in clusters.
constexpr int64_t kSecondUs = 1'000'000;
constexpr int64_t kPeriodMinUs = 100'000;
constexpr int64_t kPeriodMaxUs = kSecondUs;
constexpr int64_t kPeriodRequests = 32;

// A slice for fewer requests is not worth a call.
constexpr int64_t kRequestsMin = 3;

// The next slice of at least so many requests is asked for when what is there lasts no longer than
// this and than this part of its life, which is more than asking takes. What is there then is not
// asked for again: it would be in the way of the next one, and come back.
constexpr int64_t kAheadMin = 16;
constexpr int64_t kAheadUs = 2'500;
constexpr int64_t kAheadParts = 64;
// ... or when it is in the last of so many parts of its life, so that few requests find none.
constexpr int64_t kAheadLifeParts = 8;

// So that no product with a time overflows.
constexpr int64_t kAskedMax = int64_t{1} << 38;

// Of what is left, each host takes no more than this part of its share at a time: what lies unused
// in slices when a limit is reached was refused to others.
constexpr int64_t kShareParts = 2;

// Where all hosts together, if they were as busy as this one, would use less than this part of what
// comes back, nobody misses what a long slice keeps from coming back.
constexpr int64_t kAmplePart = 4;
constexpr int64_t kAmpleLifePercent = 40;
constexpr int64_t kAmpleLifeMaxUs = 1'000'000;

// There, what is left of a slice at its end lapses if it is no more than this part of what is in
// demand in a second.
constexpr int64_t kLapseParts = 20;

bool is_bucket(Algorithm algorithm) {
  return algorithm == Algorithm::kGcra || algorithm == Algorithm::kTokenBucket;
}

// The shortest time in which what the limit holds comes back.
int64_t horizon_us(Algorithm algorithm, const Limit& limit) {
  return is_bucket(algorithm) ? limit.tolerance_us : limit.window_us;
}

}  // namespace

Leases::Leases(Owner& owner, size_t bytes)
    : owner_(owner),
      entries_(std::bit_floor(std::max(bytes / sizeof(Entry), kBucketEntries))),
      tags_(entries_.size() / kBucketEntries),
      bucket_mask_(tags_.size() - 1) {}

void Leases::adopt(const PolicyTable& table) {
  const std::span<const Policy> policies = table.policies();
  for (Entry& entry : entries_) {
    if (!entry.taken) continue;
    const bool same = policies[entry.policy].revision == terms_[entry.policy].revision &&
                      terms_of(policies[entry.policy]).leased();
    if (same) continue;
    give_back_all(entry);
    forget(entry);
  }
  terms_.clear();
  for (const Policy& policy : policies) terms_.push_back(terms_of(policy));
}

Leases::Terms Leases::terms_of(const Policy& policy) {
  const PolicySpec& spec = policy.spec;
  Terms terms;
  terms.revision = policy.revision;
  if (!policy.active || spec.mode != Mode::kLeased || !can_lease(spec.algorithm)) return terms;
  int64_t horizon = INT64_MAX;
  terms.comes_back = INT64_MAX;
  for (const Limit& limit : spec.limits) {
    horizon = std::min(horizon, horizon_us(spec.algorithm, limit));
    const int64_t in_second = mul_div_floor(limit.count, kSecondUs, limit.window_us);
    terms.comes_back = std::min(terms.comes_back, in_second);
  }
  if (horizon < kHorizonMinUs) return terms;
  terms.forgets = is_bucket(spec.algorithm);
  terms.life_us = std::clamp(horizon / kLifeParts, kLifeMinUs, kLifeMaxUs);
  terms.ample_life_us = std::min(horizon / 100 * kAmpleLifePercent, kAmpleLifeMaxUs);
  return terms;
}

// ---- entries ----

Leases::Entry* Leases::find(const KeyHash& key) {
  const size_t bucket = bucket_of(key);
  for (size_t i = 0; i < kBucketEntries; ++i) {
    if (tags_[bucket][i] != key.rest) continue;
    Entry& entry = entry_at(bucket, i);
    if (entry.taken && entry.key == key) return &entry;
  }
  return nullptr;
}

void Leases::prefetch_tags(const KeyHash& key) const {
  __builtin_prefetch(&tags_[bucket_of(key)]);
}

void Leases::prefetch_entry(const KeyHash& key) const {
  const size_t bucket = bucket_of(key);
  for (size_t i = 0; i < kBucketEntries; ++i) {
    if (tags_[bucket][i] != key.rest) continue;
    const Entry& entry = entries_[bucket * kBucketEntries + i];
    __builtin_prefetch(&entry.slices);
    __builtin_prefetch(&entry.key);
  }
}

Leases::Entry* Leases::find_or_add(const Operation& op, std::string_view id, TimeUs now) {
  if (Entry* entry = find(op.key)) return entry;
  const size_t bucket = bucket_of(op.key);
  size_t place = kBucketEntries;
  int64_t least = INT64_MAX;
  for (size_t i = 0; i < kBucketEntries; ++i) {
    const Entry& entry = entry_at(bucket, i);
    const bool cold = !entry.taken || now - entry.since > kPeriodMaxUs;
    if (entry.asking || (!cold && entry.slices[0].units > 0)) continue;
    const int64_t demand = cold ? 0 : demand_of(entry, 0, now);
    if (demand >= least) continue;
    least = demand;
    place = i;
  }
  if (place == kBucketEntries) return nullptr;
  Entry& entry = entry_at(bucket, place);
  if (entry.taken) give_back_all(entry);
  forget(entry);
  tags_[bucket][place] = op.key.rest;
  entry.key = op.key;
  entry.policy = op.policy;
  entry.taken = true;
  entry.since = now;
  entry.id.assign(id);
  return &entry;
}

void Leases::forget(Entry& entry) {
  tell_used(entry);
  std::string id = std::move(entry.id);  // its memory stays
  entry = Entry();
  entry.id = std::move(id);
  entry.serial = ++serial_;
}

void Leases::tell_used(Entry& entry) {
  if (entry.used == 0) return;
  owner_.used(entry.key, entry.policy, entry.used);
  entry.used = 0;
}

// ---- taking ----

Leases::Taken Leases::take(Operation& op, std::string_view id, TimeUs now, uint32_t call) {
  assert(op.verb == Verb::kCheck && leases(op.policy));
  Entry* entry = find_or_add(op, id, now);
  if (entry == nullptr) return {};
  count(*entry, op.units, now);
  Taken taken;
  taken.from_slice = use(*entry, op, now);
  if (entry->asking && !taken.from_slice) {
    taken.on_its_way = true;
    taken.call = entry->call;
  }
  want(*entry, op.units, now, call, taken);
  return taken;
}

bool Leases::use(Operation& op, TimeUs now) {
  Entry* entry = find(op.key);
  return entry != nullptr && use(*entry, op, now);
}

bool Leases::use(Entry& entry, Operation& op, TimeUs now) {
  const int64_t held = units_of(entry, now);
  if (held < op.units) return false;
  spend(entry, op.units, now);
  op.outcome = Outcome::kAdmitted;
  op.answer = {entry.limit, entry.left + held - op.units, 0,
               std::max<int64_t>(entry.reset_at - now, 0)};
  return true;
}

void Leases::count(Entry& entry, int64_t units, TimeUs now) {
  entry.asked = std::min(entry.asked + units, kAskedMax);
  const int64_t elapsed_us = now - entry.since;
  const bool enough = entry.asked >= kPeriodRequests * units || elapsed_us >= kPeriodMaxUs;
  if (elapsed_us < kPeriodMinUs || !enough) return;
  // A period ends with a request, which is its own: the next one does not begin with it.
  const int64_t demand = entry.asked * kSecondUs / elapsed_us;
  const bool anew = elapsed_us >= 2 * kPeriodMaxUs || demand > 2 * entry.demand;
  entry.demand = anew ? demand : (entry.demand + demand) / 2;
  entry.asked = 0;
  entry.since = now;
}

// Before the request of so many units. The period that runs counts as if it were over: to draw it
// out from a few requests would ask for slices of which most comes back.
int64_t Leases::demand_of(const Entry& entry, int64_t units, TimeUs now) {
  const int64_t elapsed_us = std::max(now - entry.since, kPeriodMinUs);
  const int64_t running = (entry.asked - units) * kSecondUs / elapsed_us;
  return running > 2 * entry.demand ? running : entry.demand;
}

int64_t Leases::units_of(const Entry& entry, TimeUs now) {
  int64_t units = 0;
  for (const Slice& slice : entry.slices) {
    if (now < slice.ends || flawed(Flaw::kSpendsAged)) units += slice.units;
  }
  return units;
}

void Leases::spend(Entry& entry, int64_t units, TimeUs now) {
  entry.used += units;
  units_held_ -= units;
  for (Slice& slice : entry.slices) {
    if (now >= slice.ends && !flawed(Flaw::kSpendsAged)) continue;
    const int64_t of_this = std::min(units, slice.units);
    slice.units -= of_this;
    units -= of_this;
  }
  assert(units == 0);
  next_slice(entry);
}

void Leases::next_slice(Entry& entry) {
  if (entry.slices[0].units == 0) std::swap(entry.slices[0], entry.slices[1]);
}

void Leases::want(Entry& entry, int64_t units, TimeUs now, uint32_t call, Taken& taken) const {
  if (over_ || entry.asking || entry.slices[1].units > 0) return;
  const Terms& terms = terms_[entry.policy];
  const int64_t demand = demand_of(entry, units, now);
  const int64_t life_us = is_ample(entry, demand) ? terms.ample_life_us : terms.life_us;
  const int64_t whole = std::min(demand * life_us / kSecondUs, kSliceUnitsMax);
  const int64_t held = units_of(entry, now);
  if (taken.from_slice) {
    const bool ends_soon = entry.slices[0].ends - now < life_us / kAheadLifeParts;
    if (whole < kAheadMin * units) return;
    const int64_t ahead_us = std::max(kAheadUs, life_us / kAheadParts);
    if (held > demand * ahead_us / kSecondUs && !ends_soon) return;
  }
  const int64_t wanted = std::min(whole - held, entry.left / (kShareParts * int64_t{hosts_}));
  if (wanted < kRequestsMin * units) return;
  entry.asking = true;
  entry.call = call;
  taken.ask_for = wanted;
  taken.life_us = life_us;
  taken.serial = entry.serial;
}

bool Leases::is_ample(const Entry& entry, int64_t demand) const {
  return entry.left >= entry.limit / 2 &&
         demand <= terms_[entry.policy].comes_back / (kAmplePart * int64_t{hosts_});
}

void Leases::decided(const Operation& op) {
  Entry* entry = find(op.key);
  if (entry == nullptr) return;
  entry->left = op.answer.remaining;
  entry->limit = op.answer.limit;
}

// ---- slices ----

void Leases::grant(const KeyHash& key, const Granted& granted, const Answer& answer, TimeUs now) {
  Entry* entry = find(key);
  // It was dropped meanwhile, and the units with it.
  if (entry == nullptr || entry->serial != granted.serial) return;
  entry->asking = false;
  tell_used(*entry);
  entry->left = answer.remaining;
  entry->limit = answer.limit;
  entry->reset_at = now + answer.reset_us;
  Slice& slice = entry->slices[entry->slices[0].units == 0 ? 0 : 1];
  assert(slice.units == 0);
  slice = {granted.units, granted.sent + granted.life_us, granted.until};
  units_held_ += granted.units;
  ends_.push_back({slice.ends, static_cast<uint32_t>(entry - entries_.data())});
  std::push_heap(ends_.begin(), ends_.end());
}

void Leases::not_granted(const KeyHash& key, uint32_t serial, std::optional<int64_t> left) {
  Entry* entry = find(key);
  if (entry == nullptr || entry->serial != serial) return;
  entry->asking = false;
  // Until a request is decided by the store nothing more is known.
  entry->left = left.value_or(0);
}

void Leases::age(TimeUs now) {
  while (!ends_.empty() && ends_.front().at <= now) {
    Entry& entry = entries_[ends_.front().place];
    std::pop_heap(ends_.begin(), ends_.end());
    ends_.pop_back();
    if (flawed(Flaw::kSpendsAged)) continue;
    for (Slice& slice : entry.slices) {
      if (slice.ends <= now) end(entry, slice, now);
    }
    next_slice(entry);
    tell_used(entry);
  }
}

void Leases::end(Entry& entry, Slice& slice, TimeUs now) {
  const int64_t demand = demand_of(entry, 0, now);
  const bool lapses = terms_[entry.policy].forgets && slice.units > 0 &&
                      slice.units <= demand / kLapseParts && is_ample(entry, demand);
  if (!lapses) return give_back(entry, slice);
  units_held_ -= slice.units;
  owner_.lapsed(slice.units);
  slice = {};
}

void Leases::give_back(Entry& entry, Slice& slice) {
  int64_t units = slice.units;
  units_held_ -= units;
  if (flawed(Flaw::kReturnsUsed)) units += entry.used;
  if (units > 0) {
    owner_.give_back({.key = entry.key,
                      .policy = entry.policy,
                      .revision = terms_[entry.policy].revision,
                      .id = entry.id,
                      .units = units,
                      .until = slice.until,
                      .scarce = entry.left < entry.limit / 2});
    entry.left += units;
  }
  slice = {};
}

void Leases::give_back_all(Entry& entry) {
  for (Slice& slice : entry.slices) give_back(entry, slice);
}

void Leases::give_all_back() {
  over_ = true;
  for (Entry& entry : entries_) {
    if (!entry.taken) continue;
    give_back_all(entry);
    tell_used(entry);
  }
  ends_.clear();
}

void Leases::drop(const KeyHash& key) {
  Entry* entry = find(key);
  if (entry == nullptr) return;
  for (Slice& slice : entry->slices) {
    units_held_ -= slice.units;
    slice = {};
  }
  entry->asking = false;
  entry->left = 0;
  entry->serial = ++serial_;
}

}  // namespace toll::engine
