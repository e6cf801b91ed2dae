// Policies: what the operator wrote, checked and made ready for deciding.
//
// A PolicyTable is immutable once built and shared by all workers; a reload builds a new one from
// the old, so that a policy of the same name keeps its id and with it the counts of its keys. A
// removed policy keeps its id too, for as long as the process lives: requests under way may still
// carry it.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/limits.h"
#include "engine/types.h"

namespace toll::engine {

enum class Algorithm : uint8_t {
  kGcra,
  kTokenBucket,
  kSlidingLog,
  kSlidingWindow,
  kFixedWindow,
  kConcurrency
};
enum class Mode : uint8_t { kExact, kLeased, kLocal };
enum class OnOutage : uint8_t { kLocal, kAllow, kDeny };

// How a window is laid on the time line: from the Unix epoch in steps of its length, or by the UTC
// calendar.
enum class Calendar : uint8_t { kNone, kDay, kMonth };

// Whether units can be set aside in the store and used, or given back, a moment later. Not where
// each unit is an entry or a ticket of its own there: that would cost the store as much.
constexpr bool can_lease(Algorithm algorithm) {
  return algorithm != Algorithm::kSlidingLog && algorithm != Algorithm::kConcurrency;
}

std::string_view to_string(Algorithm algorithm);
std::string_view to_string(Mode mode);
std::string_view to_string(OnOutage on_outage);

// One `count/window`. `burst` is what can be used at once: the operator's for gcra and
// token_bucket, the count for all others. For a concurrency policy `count` is the number of units
// in flight and `window_us` the ticket's default life.
//
// The four figures are the limit. The rest follows from them and is there so that gcra need not
// divide: PolicyTable::build and make_limit() fill it in, and gcra decides only by limits made so.
struct Limit {
  int64_t count = 0;
  int64_t burst = 0;
  int64_t window_us = 0;  // for Calendar::kMonth the longest month; real bounds: engine/calendar.h
  Calendar calendar = Calendar::kNone;

  // window / count, what a unit costs: whole microseconds and a numerator over count.
  uint32_t interval_fraction = 0;
  int64_t interval_us = 0;
  // burst * window / count, what a full bucket holds, in the same form; at most kToleranceMaxUs.
  int64_t tolerance_us = 0;
  uint32_t tolerance_fraction = 0;

  friend bool operator==(const Limit& a, const Limit& b) {
    return a.count == b.count && a.burst == b.burst && a.window_us == b.window_us &&
           a.calendar == b.calendar;
  }
};

// The limit of these figures, ready to decide by. A burst of 0 is the count; a calendar window has
// its own length, whatever `window_us` says. For limits that come with a request (CL.THROTTLE) and
// for tests; about 10 ns, never allocates. Figures out of their bounds make a limit that
// limit_fault() objects to and that must not be decided by. Any thread.
Limit make_limit(int64_t count, int64_t burst, int64_t window_us,
                 Calendar calendar = Calendar::kNone);

// What is wrong with a limit of that algorithm and what is expected, or "" when it is fit. The text
// is static. Never allocates; any thread.
std::string_view limit_fault(Algorithm algorithm, const Limit& limit);

// What the operator asked for, before it has an id.
struct PolicySpec {
  std::string name;
  Algorithm algorithm = Algorithm::kGcra;
  Mode mode = Mode::kExact;
  OnOutage on_outage = OnOutage::kLocal;
  int64_t deadline_us = 50'000;
  std::string key_template;  // "" is the algorithm's default
  std::vector<Limit> limits;

  bool operator==(const PolicySpec&) const = default;
};

struct Policy {
  PolicySpec spec;
  uint16_t id = 0;
  uint8_t revision = 0;  // counts changes of `limits` and `algorithm`, modulo 256
  bool active = true;    // false: the operator removed it; only its id lives on
  // What the last revision's limits were, so that a key's state can be carried over on first touch.
  std::vector<Limit> previous_limits;
  Algorithm previous_algorithm = Algorithm::kGcra;
};

struct PolicyError {
  std::string policy;
  std::string message;  // what is wrong and what is expected
};

class PolicyTable {
 public:
  // Builds a table from `specs`, carrying ids and revisions over from `previous` (may be null).
  // Errors: a name twice, empty, too long or with other characters than [A-Za-z0-9_.:-]; no limit
  // or more than kLimitsPerPolicyMax (concurrency: other than one); a limit that limit_fault()
  // objects to; more than kPoliciesMax names over time. Any thread.
  static std::expected<std::shared_ptr<const PolicyTable>, PolicyError> build(
      std::span<const PolicySpec> specs, const PolicyTable* previous);

  // The active policy of that name, or null. Never allocates. Any thread.
  const Policy* find(std::string_view name) const;

  // The active policy of that id, or null (removed, or unknown to this table).
  const Policy* find(uint16_t id) const {
    return id < policies_.size() && policies_[id].active ? &policies_[id] : nullptr;
  }

  // All ever known, in the order of their ids, removed ones included.
  std::span<const Policy> policies() const { return policies_; }

  // What POLICIES prints for a policy's limits: "100/1s,5000/1h", "20" for concurrency.
  static std::string describe_limits(const PolicySpec& spec);

 private:
  PolicyTable() = default;

  // The place in by_name_ that holds `name`, or the empty one where it belongs.
  size_t slot_of(std::string_view name) const;
  // Adds one more spec, or brings the policy of its name up to it.
  std::expected<void, PolicyError> add(const PolicySpec& spec);
  // The policy of that name, with an id of its own and inactive if it is new; null: no more ids.
  Policy* find_or_create(const std::string& name);

  std::vector<Policy> policies_;
  std::vector<uint16_t>
      by_name_;  // open addressing over policies_, a power of two, 0xffff is empty
};

}  // namespace toll::engine
