// Batches for the store made of a fuzz input, under policies of every algorithm, and what a reply
// to their call looks like.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/key_hash.h"
#include "engine/policy.h"
#include "engine/shard.h"
#include "engine/store_batch.h"
#include "engine/store_pack.h"
#include "engine/store_script.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/require.h"
#include "tests/unit/times.h"

namespace toll::engine::model {

using fuzz::Input;

inline std::shared_ptr<const StoreRules> make_rules() {
  std::vector<PolicySpec> specs(8);
  const auto set = [&](size_t i, Algorithm algorithm, std::vector<Limit> limits) {
    specs[i].name = "p" + std::to_string(i);
    specs[i].algorithm = algorithm;
    specs[i].limits = std::move(limits);
  };
  set(0, Algorithm::kGcra, {make_limit(10, 0, 10 * kSecond)});
  set(1, Algorithm::kGcra, {make_limit(7, 3, kSecond), make_limit(4, 0, 3600 * kSecond)});
  set(2, Algorithm::kTokenBucket, {make_limit(10, 5, 10 * kSecond)});
  set(3, Algorithm::kSlidingLog, {make_limit(5, 0, 10 * kSecond)});
  set(4, Algorithm::kSlidingWindow, {make_limit(5, 0, kSecond), make_limit(9, 0, 60 * kSecond)});
  set(5, Algorithm::kFixedWindow, {make_limit(5, 0, 0, Calendar::kMonth)});
  set(6, Algorithm::kConcurrency, {make_limit(5, 0, 60 * kSecond)});
  set(7, Algorithm::kSlidingLog, {make_limit(5, 0, 10 * kSecond)});
  specs[7].key_template = "theirs:{id}";
  return std::make_shared<StoreRules>(*PolicyTable::build(specs, nullptr), "");
}

inline const std::shared_ptr<const StoreRules>& rules() {
  static const std::shared_ptr<const StoreRules> kRules = make_rules();
  return kRules;
}

struct Question {
  std::vector<Operation> operations;
  std::vector<std::string_view> ids;
  StoreRequest request;
};

inline Operation operation(uint8_t what, uint8_t how) {
  constexpr Verb kVerbs[] = {Verb::kCheck,  Verb::kCheck, Verb::kPeek,  Verb::kRefund,
                             Verb::kCharge, Verb::kReset, Verb::kRepay, Verb::kThrottle};
  constexpr Verb kTicketVerbs[] = {Verb::kAcquire, Verb::kRelease, Verb::kPeek, Verb::kReset};
  static const Limit kThrottle[] = {make_limit(3, 2, kSecond), make_limit(7, 0, 60 * kSecond)};
  Operation op;
  op.policy = what % 8;
  op.verb = op.policy == 6 ? kTicketVerbs[what / 8 % 4] : kVerbs[what / 8 % 8];
  op.units = how % 4 + 1;
  if (op.verb == Verb::kThrottle) {
    op.policy = kThrottlePolicy;
    op.throttle = &kThrottle[how % 2];
    op.units = how / 4 % 4;
  }
  if (op.verb == Verb::kAcquire || op.verb == Verb::kRelease) op.ticket = how + uint64_t{1};
  if (op.verb == Verb::kAcquire) op.ttl_us = how / 8 * kSecond;
  return op;
}

// Requests of one operation, or of several that are all or nothing.
inline Question& ask(Input& input, std::deque<Question>& questions) {
  static const KeyHasher kHasher{{0x746f6c6c, 0x6b656570}};
  Question& made = questions.emplace_back();
  const uint8_t what = input.byte();
  const size_t count = what < 192 ? 1 : 2 + what % 2;
  while (made.operations.size() < count) {
    const uint8_t how = input.byte();
    Operation op = operation(count == 1 ? what : how / 8 % 6, how);
    const std::string_view id = how < 128 ? "ann" : "bob";
    op.key = kHasher(op.policy, id);
    made.operations.push_back(op);
    made.ids.push_back(id);
  }
  made.request.operations = made.operations.data();
  made.request.ids = made.ids.data();
  made.request.count = static_cast<uint8_t>(count);
  return made;
}

// A reply to the call by its format (engine/store_script.h): how many numbers it has, and where it
// says how often an item was admitted.
struct Layout {
  size_t numbers = 1;
  std::vector<size_t> admitted_at;
};

inline Layout layout_of(const StoreBatch& batch) {
  PackReader call(batch.arguments()[0]);
  call.array();
  const auto quick = static_cast<size_t>(call.number());
  call.skip(2);
  const auto rules_count = static_cast<size_t>(call.number());
  const auto items = static_cast<size_t>(call.number());
  std::vector<size_t> states;  // by rule
  for (size_t i = 0; i < rules_count; ++i) {
    states.push_back(state_numbers(static_cast<Algorithm>(call.number())));
    call.skip(kRuleNumbers - 1);
  }
  Layout layout;
  const auto take_rule = [&](size_t numbers_behind) {
    layout.numbers += states.at(static_cast<size_t>(call.number()));
    call.skip(numbers_behind);
  };
  for (size_t i = 0; i < quick; ++i) {
    layout.admitted_at.push_back(layout.numbers++);
    take_rule(kQuickNumbers - 1);
  }
  for (size_t i = 0; i < items; ++i) {
    const auto verb = static_cast<ScriptVerb>(call.number());
    const bool admits = verb == ScriptVerb::kCheck || verb == ScriptVerb::kAcquire;
    if (admits) layout.admitted_at.push_back(layout.numbers);
    ++layout.numbers;
    call.skip(1);
    for (int64_t parts = call.number(); parts > 0; --parts) take_rule(kPartNumbers - 1);
  }
  require(!call.failed() && call.at_end(), "a call is as its format says");
  return layout;
}

}  // namespace toll::engine::model
