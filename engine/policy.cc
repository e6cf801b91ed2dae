#include "engine/policy.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

#include "engine/exact.h"

namespace toll::engine {
namespace {

constexpr uint16_t kEmpty = 0xffff;

constexpr int64_t kMinuteUs = 60'000'000;
constexpr int64_t kHourUs = 60 * kMinuteUs;
constexpr int64_t kDayUs = 24 * kHourUs;

bool has_burst(Algorithm algorithm) {
  return algorithm == Algorithm::kGcra || algorithm == Algorithm::kTokenBucket;
}

bool counts_in_ms(Algorithm algorithm) {
  return algorithm == Algorithm::kSlidingLog || algorithm == Algorithm::kSlidingWindow ||
         algorithm == Algorithm::kFixedWindow;
}

bool knows_calendar(Algorithm algorithm) {
  return algorithm == Algorithm::kSlidingWindow || algorithm == Algorithm::kFixedWindow;
}

template <typename Word>
uint64_t load(const char* from) {
  Word word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

// The up to eight bytes of `text` as one word, by loads of fixed size that may overlap.
uint64_t word_of(std::string_view text) {
  const char* end = text.data() + text.size();
  if (text.size() >= 8) return load<uint64_t>(text.data());
  if (text.size() >= 4) return load<uint32_t>(text.data()) | load<uint32_t>(end - 4) << 32;
  if (text.empty()) return 0;
  return load<uint8_t>(text.data()) | load<uint8_t>(text.data() + text.size() / 2) << 8 |
         load<uint8_t>(end - 1) << 16;
}

// One multiplication per eight bytes. Names in the table are the operator's, so nobody can pile
// them up on one slot; a stranger's name can only miss.
size_t hash_of(std::string_view name) {
  constexpr uint64_t kMultiplier = 0x9e3779b97f4a7c15;
  uint64_t hash = name.size();
  for (; name.size() > 8; name.remove_prefix(8)) {
    hash = (hash ^ word_of(name)) * kMultiplier;
    hash ^= hash >> 32;
  }
  hash = (hash ^ word_of(name)) * kMultiplier;
  return static_cast<size_t>(hash ^ hash >> 32);
}

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == ':' || c == '-';
}

std::string_view name_fault(std::string_view name) {
  if (name.empty()) return "the name is empty; expected 1 to 64 characters";
  if (name.size() > kPolicyNameMax) return "the name is too long; expected 1 to 64 characters";
  if (!std::ranges::all_of(name, is_name_character)) {
    return "the name has other characters than letters, digits and _ . : -";
  }
  return "";
}

std::string describe_window(const Limit& limit) {
  if (limit.calendar == Calendar::kDay) return "day";
  if (limit.calendar == Calendar::kMonth) return "month";
  struct Unit {
    int64_t us;
    const char* name;
  };
  constexpr Unit kUnits[] = {
      {kDayUs, "d"}, {kHourUs, "h"}, {kMinuteUs, "m"}, {1'000'000, "s"}, {kUsPerMs, "ms"}};
  for (const Unit& unit : kUnits) {
    if (limit.window_us % unit.us == 0)
      return std::to_string(limit.window_us / unit.us) + unit.name;
  }
  return std::to_string(limit.window_us) + "us";
}

std::string describe_limit(Algorithm algorithm, const Limit& limit) {
  std::string text = std::to_string(limit.count);
  if (algorithm != Algorithm::kConcurrency) text += "/" + describe_window(limit);
  return text;
}

// The limits of `spec`, made ready, or what is wrong with them.
std::expected<std::vector<Limit>, PolicyError> checked_limits(const PolicySpec& spec) {
  if (spec.limits.empty()) return std::unexpected(PolicyError{spec.name, "has no limit"});
  if (spec.limits.size() > kLimitsPerPolicyMax) {
    return std::unexpected(PolicyError{spec.name, "has " + std::to_string(spec.limits.size()) +
                                                      " limits; expected at most " +
                                                      std::to_string(kLimitsPerPolicyMax)});
  }
  if (spec.algorithm == Algorithm::kConcurrency && spec.limits.size() != 1) {
    return std::unexpected(PolicyError{spec.name, "a concurrency policy has exactly one limit"});
  }
  std::vector<Limit> limits;
  for (const Limit& asked : spec.limits) {
    limits.push_back(make_limit(asked.count, asked.burst, asked.window_us, asked.calendar));
    const std::string_view fault = limit_fault(spec.algorithm, limits.back());
    if (!fault.empty()) {
      return std::unexpected(PolicyError{
          spec.name,
          "limit " + describe_limit(spec.algorithm, limits.back()) + ": " + std::string(fault)});
    }
  }
  return limits;
}

}  // namespace

std::string_view to_string(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::kGcra:
      return "gcra";
    case Algorithm::kTokenBucket:
      return "token_bucket";
    case Algorithm::kSlidingLog:
      return "sliding_log";
    case Algorithm::kSlidingWindow:
      return "sliding_window";
    case Algorithm::kFixedWindow:
      return "fixed_window";
    case Algorithm::kConcurrency:
      return "concurrency";
  }
  return "";
}

std::string_view to_string(Mode mode) {
  switch (mode) {
    case Mode::kExact:
      return "exact";
    case Mode::kLeased:
      return "leased";
    case Mode::kLocal:
      return "local";
  }
  return "";
}

std::string_view to_string(OnOutage on_outage) {
  switch (on_outage) {
    case OnOutage::kLocal:
      return "local";
    case OnOutage::kAllow:
      return "allow";
    case OnOutage::kDeny:
      return "deny";
  }
  return "";
}

Limit make_limit(int64_t count, int64_t burst, int64_t window_us, Calendar calendar) {
  Limit limit;
  limit.count = count;
  limit.burst = burst == 0 ? count : burst;
  limit.window_us = window_us;
  limit.calendar = calendar;
  if (calendar == Calendar::kDay) limit.window_us = kDayUs;
  if (calendar == Calendar::kMonth) limit.window_us = 31 * kDayUs;

  const bool in_bounds = count >= 1 && count <= kLimitCountMax && limit.burst >= 1 &&
                         limit.burst <= kLimitCountMax && limit.window_us >= 1 &&
                         limit.window_us <= kWindowMaxUs;
  if (!in_bounds) return limit;  // limit_fault() says so

  limit.interval_us = limit.window_us / count;
  limit.interval_fraction = static_cast<uint32_t>(limit.window_us % count);
  limit.tolerance_us = limit.window_us;
  if (limit.burst == count) return limit;

  limit.tolerance_us = mul_div_floor(limit.burst, limit.window_us, count);
  if (limit.tolerance_us > kToleranceMaxUs) {
    limit.tolerance_us = kToleranceMaxUs;
  } else {
    // The rest of that division; modulo 2^64 is enough, since it is below count.
    limit.tolerance_fraction = static_cast<uint32_t>(
        static_cast<uint64_t>(limit.burst) * static_cast<uint64_t>(limit.window_us) -
        static_cast<uint64_t>(limit.tolerance_us) * static_cast<uint64_t>(count));
  }
  return limit;
}

std::string_view limit_fault(Algorithm algorithm, const Limit& limit) {
  if (limit.count < 1 || limit.count > kLimitCountMax) {
    return "the count is out of range; expected 1 to 2147483647";
  }
  if (limit.burst < 1 || limit.burst > kLimitCountMax) {
    return "the burst is out of range; expected 1 to 2147483647";
  }
  if (!has_burst(algorithm) && limit.burst != limit.count) {
    return "a burst goes with gcra and token_bucket only";
  }
  if (limit.window_us < kWindowMinUs || limit.window_us > kWindowMaxUs) {
    return "the window is out of range; expected 1ms to 366d";
  }
  if (limit.calendar != Calendar::kNone && !knows_calendar(algorithm)) {
    return "a calendar window needs fixed_window or sliding_window";
  }
  if (counts_in_ms(algorithm) && limit.window_us % kUsPerMs != 0) {
    return "this algorithm counts in milliseconds; expected a window of whole ones";
  }
  if (algorithm == Algorithm::kSlidingLog && limit.count > kSlidingLogCountMax) {
    return "a sliding_log keeps every request; expected a count of at most 100000";
  }
  if (algorithm == Algorithm::kConcurrency && limit.count > kConcurrencyLimitMax) {
    return "concurrency keeps every ticket; expected a limit of at most 65536";
  }
  // Compared as figures times the count, which is exact.
  const Int128 refill = static_cast<Int128>(limit.burst) * limit.window_us;
  if (has_burst(algorithm) && refill > static_cast<Int128>(kRefillMaxUs) * limit.count) {
    return "the burst takes over 100 years to come back; expected a smaller burst";
  }
  return "";
}

size_t PolicyTable::slot_of(std::string_view name) const {
  const size_t mask = by_name_.size() - 1;
  size_t slot = hash_of(name) & mask;
  while (by_name_[slot] != kEmpty && policies_[by_name_[slot]].spec.name != name) {
    slot = (slot + 1) & mask;
  }
  return slot;
}

const Policy* PolicyTable::find(std::string_view name) const {
  if (name.size() > kPolicyNameMax) return nullptr;
  const uint16_t id = by_name_[slot_of(name)];
  return id == kEmpty ? nullptr : find(id);
}

std::string PolicyTable::describe_limits(const PolicySpec& spec) {
  std::string text;
  for (const Limit& limit : spec.limits) {
    if (!text.empty()) text += ',';
    text += describe_limit(spec.algorithm, limit);
  }
  return text;
}

Policy* PolicyTable::find_or_create(const std::string& name) {
  const size_t slot = slot_of(name);
  if (by_name_[slot] != kEmpty) return &policies_[by_name_[slot]];
  if (policies_.size() == kPoliciesMax) return nullptr;
  Policy policy;
  policy.id = static_cast<uint16_t>(policies_.size());
  policy.active = false;
  policy.spec.name = name;
  by_name_[slot] = policy.id;
  policies_.push_back(std::move(policy));
  return &policies_.back();
}

std::expected<void, PolicyError> PolicyTable::add(const PolicySpec& spec) {
  if (const std::string_view fault = name_fault(spec.name); !fault.empty()) {
    return std::unexpected(PolicyError{spec.name, std::string(fault)});
  }
  auto limits = checked_limits(spec);
  if (!limits) return std::unexpected(limits.error());

  Policy* policy = find_or_create(spec.name);
  if (policy == nullptr) {
    return std::unexpected(
        PolicyError{spec.name, "is one name too many; at most " + std::to_string(kPoliciesMax) +
                                   " are kept until a restart, removed ones included"});
  }
  if (policy->active) return std::unexpected(PolicyError{spec.name, "is defined twice"});

  // A removed policy's keys may still be held, so one that comes back changes like any other. Only
  // a new one, which has no limits yet, has nothing to carry over.
  const bool is_new = policy->spec.limits.empty();
  const bool changed = policy->spec.algorithm != spec.algorithm || policy->spec.limits != *limits;
  if (!is_new && changed) {
    policy->previous_limits = std::move(policy->spec.limits);
    policy->previous_algorithm = policy->spec.algorithm;
    policy->revision = static_cast<uint8_t>(policy->revision + 1);
  }
  policy->spec = spec;
  policy->spec.limits = std::move(*limits);
  policy->active = true;
  return {};
}

std::expected<std::shared_ptr<const PolicyTable>, PolicyError> PolicyTable::build(
    std::span<const PolicySpec> specs, const PolicyTable* previous) {
  // make_shared cannot reach the private constructor.
  const std::shared_ptr<PolicyTable> table(new PolicyTable());
  if (previous != nullptr) table->policies_ = previous->policies_;

  // At most half full, so that a search is short and always ends at an empty place.
  const size_t names_max = std::min(table->policies_.size() + specs.size(), kPoliciesMax);
  table->by_name_.assign(std::bit_ceil(2 * names_max + 2), kEmpty);
  for (Policy& policy : table->policies_) {
    policy.active = false;
    table->by_name_[table->slot_of(policy.spec.name)] = policy.id;
  }
  for (const PolicySpec& spec : specs) {
    if (auto added = table->add(spec); !added) return std::unexpected(added.error());
  }
  return table;
}

}  // namespace toll::engine
