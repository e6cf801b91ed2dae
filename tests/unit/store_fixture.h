// The words in which tests speak to the store's side: policies by name, ids as text, calls as lists
// of numbers, and a script that admits everything.
#pragma once

#include <cstdint>
#include <deque>
#include <gtest/gtest.h>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/key_hash.h"
#include "engine/store_batch.h"
#include "engine/store_pack.h"
#include "engine/store_script.h"
#include "tests/unit/times.h"

namespace toll::engine {

inline constexpr int64_t kNoonMs = kNoon / kMs;

// A request with all that it points to. It stays where it is.
struct Question {
  std::vector<Operation> operations;
  std::vector<std::string> ids;
  std::vector<std::string_view> views;
  StoreRequest request;

  const Answer& answer(size_t i = 0) const { return operations[i].answer; }
  Outcome outcome(size_t i = 0) const { return operations[i].outcome; }
};

// What a call asks for, read back.
struct Call {
  struct Part {
    int64_t rule, key, a, b, c;
  };
  struct Item {
    int64_t verb, times;
    std::vector<Part> parts;
  };
  struct Quick {
    int64_t rule, a, times;
  };
  int64_t quick_strings = 0;
  int64_t strings = 0;
  std::vector<std::vector<int64_t>> rules;
  std::vector<Quick> quick;
  std::vector<Item> items;
};

inline Call call_of(const StoreBatch& batch) {
  PackReader reader(batch.arguments()[0]);
  const uint64_t numbers = reader.array();
  Call call;
  call.quick.resize(static_cast<size_t>(reader.number()));
  call.quick_strings = reader.number();
  call.strings = reader.number();
  call.rules.resize(static_cast<size_t>(reader.number()));
  call.items.resize(static_cast<size_t>(reader.number()));
  uint64_t read = kHeadNumbers;
  for (auto& rule : call.rules) {
    for (size_t i = 0; i < kRuleNumbers; ++i) rule.push_back(reader.number());
    read += kRuleNumbers;
  }
  for (Call::Quick& item : call.quick) {
    for (int64_t* number : {&item.rule, &item.a, &item.times}) *number = reader.number();
    read += kQuickNumbers;
  }
  for (Call::Item& item : call.items) {
    item.verb = reader.number();
    item.times = reader.number();
    item.parts.resize(static_cast<size_t>(reader.number()));
    for (Call::Part& part : item.parts) {
      for (int64_t* number : {&part.rule, &part.key, &part.a, &part.b, &part.c}) {
        *number = reader.number();
      }
    }
    read += 3 + 5 * item.parts.size();
  }
  EXPECT_EQ(read, numbers);
  EXPECT_TRUE(reader.at_end() && !reader.failed());
  return call;
}

inline std::string packed(const std::vector<int64_t>& numbers) {
  PackWriter writer;
  writer.begin(numbers.size());
  for (const int64_t number : numbers) writer.number(number);
  return std::string(writer.bytes());
}

// As a script answers that finds no key and refuses nothing. Releases find no ticket.
inline std::string admit_all(const StoreBatch& batch, TimeUs now) {
  const Call call = call_of(batch);
  std::vector<int64_t> numbers{now};
  const auto put_state = [&](int64_t rule) {
    const auto algorithm = static_cast<Algorithm>(call.rules.at(static_cast<size_t>(rule))[0]);
    numbers.insert(numbers.end(), state_numbers(algorithm), 0);
  };
  for (const Call::Quick& item : call.quick) {
    numbers.push_back(item.times);
    put_state(item.rule);
  }
  for (const Call::Item& item : call.items) {
    const auto verb = static_cast<ScriptVerb>(item.verb);
    numbers.push_back(verb == ScriptVerb::kRelease ? 0 : item.times);
    for (const Call::Part& part : item.parts) put_state(part.rule);
  }
  return packed(numbers);
}

class StoreTest : public testing::Test {
 protected:
  void policy(const std::string& name, Algorithm algorithm, std::vector<Limit> limits,
              const std::string& key_template = "") {
    PolicySpec spec;
    spec.name = name;
    spec.algorithm = algorithm;
    spec.limits = std::move(limits);
    spec.key_template = key_template;
    specs_.push_back(std::move(spec));
    auto built = PolicyTable::build(specs_, table_.get());
    ASSERT_TRUE(built) << built.error().policy << " " << built.error().message;
    table_ = *built;
    rules_ = std::make_shared<StoreRules>(table_, "");
  }

  Operation operation(Verb verb, std::string_view policy, std::string_view id, int64_t units = 1) {
    Operation op;
    op.verb = verb;
    const Policy* found = table_->find(policy);
    op.policy = found == nullptr ? uint16_t{999} : found->id;
    op.key = hasher_(op.policy, id);
    op.units = units;
    return op;
  }

  struct Wanted {
    std::string policy;
    std::string id;
    int64_t units = 1;
  };
  Question& question(const Operation& op, const std::string& id) {
    return question(std::vector<Operation>{op}, {id});
  }
  Question& question(std::vector<Operation> operations, std::vector<std::string> ids) {
    Question& made = questions_.emplace_back();
    made.operations = std::move(operations);
    made.ids = std::move(ids);
    made.views.assign(made.ids.begin(), made.ids.end());
    made.request.operations = made.operations.data();
    made.request.ids = made.views.data();
    made.request.count = static_cast<uint8_t>(made.operations.size());
    made.request.owner = &made;
    return made;
  }
  Question& question(Verb verb, std::string_view policy, const std::string& id, int64_t units = 1) {
    return question(operation(verb, policy, id, units), id);
  }
  Question& group(const std::vector<Wanted>& wanted) {
    std::vector<Operation> operations;
    std::vector<std::string> ids;
    for (const Wanted& each : wanted) {
      operations.push_back(operation(Verb::kCheck, each.policy, each.id, each.units));
      ids.push_back(each.id);
    }
    return question(std::move(operations), std::move(ids));
  }

  KeyHasher hasher_{{0x746f6c6c, 0x6b656570}};
  std::vector<PolicySpec> specs_;
  std::shared_ptr<const PolicyTable> table_;
  std::shared_ptr<const StoreRules> rules_;
  std::deque<Question> questions_;  // which do not move
};

// One batch of requests under policies of every algorithm.
class StoreBatchTest : public StoreTest {
 protected:
  StoreBatchTest() {
    policy("api", Algorithm::kGcra, {make_limit(10, 0, 10 * kSecond)});
    policy("two", Algorithm::kGcra, {make_limit(10, 0, 10 * kSecond), make_limit(4, 0, 8 * kHour)});
    policy("bucket", Algorithm::kTokenBucket, {make_limit(10, 5, 10 * kSecond)});
    policy("log", Algorithm::kSlidingLog, {make_limit(5, 0, 10 * kSecond)});
    policy("window", Algorithm::kFixedWindow, {make_limit(5, 0, 10 * kSecond)});
    policy("sliding", Algorithm::kSlidingWindow, {make_limit(5, 0, 10 * kSecond)});
    policy("jobs", Algorithm::kConcurrency, {make_limit(5, 0, 60 * kSecond)});
    batch_.clear(rules_);
  }

  using Added = StoreBatch::Added;

  Added add(Question& question, TimeUs store_now = kNoon) {
    return batch_.add(question.request, store_now);
  }
  Question& ask(Verb verb, std::string_view policy, const std::string& id, int64_t units = 1) {
    Question& made = question(verb, policy, id, units);
    EXPECT_EQ(add(made), Added::kTaken);
    return made;
  }
  Question& check(std::string_view policy, const std::string& id, int64_t units = 1) {
    return ask(Verb::kCheck, policy, id, units);
  }
  Question& ask_together(const std::vector<Wanted>& wanted) {
    Question& made = group(wanted);
    EXPECT_EQ(add(made), Added::kTaken);
    return made;
  }
  Question& ask_ticket(Verb verb, uint64_t ticket, int64_t units = 1, int64_t ttl_us = 0) {
    Operation op = operation(verb, "jobs", "ann", units);
    op.ticket = ticket;
    if (verb == Verb::kAcquire) op.ttl_us = ttl_us;
    Question& made = question(op, "ann");
    EXPECT_EQ(add(made), Added::kTaken);
    return made;
  }

  Call pack() {
    batch_.pack();
    return call_of(batch_);
  }
  // The numbers behind the time; true: they were believed.
  bool deal(std::vector<int64_t> numbers) {
    numbers.insert(numbers.begin(), kNoon);
    return batch_.deal(packed(numbers)).has_value();
  }
  std::string keys() const {
    std::string text;
    for (const std::string_view key : batch_.keys()) {
      text += (text.empty() ? "" : " ") + std::string(key);
    }
    return text;
  }
  // Everything from here on is asked anew.
  void again() { batch_.clear(rules_); }

  StoreBatch batch_{StoreBatch::Settings{.quick_max = 0}};
};

}  // namespace toll::engine
