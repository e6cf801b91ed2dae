// Fuzz target: any sequence of requests to a shard, with reloads in between, and every field of
// every answer compared with the slow models of its keys (tests/fuzz/key_model.h).
//
// Each step takes a byte that chooses how far the clock goes and what is asked: some operations one
// after the other, a group that is admitted as a whole or not at all, another table or another
// number of hosts that share its limits, a sweep.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "engine/policy.h"
#include "engine/shard.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/key_model.h"
#include "tests/fuzz/request_steps.h"
#include "tests/fuzz/require.h"

namespace {

using namespace toll::engine;
using namespace toll::engine::model;
using toll::require;

constexpr size_t kStepsMax = 150;

class Run {
 public:
  explicit Run(Input input) : input_(input) { reload(0, 1); }

  void step() {
    constexpr TimeUs kForward[] = {0, 1, 999, 1'000, 20'000, 70'000, 400'000, 8'000'000};
    const uint8_t what = input_.byte();
    now_ += kForward[what % 8];
    const uint64_t more = what / 64;
    switch (what / 8 % 8) {
      case 0:
        return reload(more, 1 + static_cast<uint32_t>(input_.below(3)));
      case 1:
        return shard_.sweep(now_, 1 + more);
      case 2:
      case 3:
        return decide_together(1 + more);
      default:
        return decide(1 + more);
    }
  }

 private:
  void reload(size_t table, uint32_t hosts) {
    const std::vector<PolicySpec> specs = specs_of(table);
    auto built = PolicyTable::build(specs, table_.get());
    require(built.has_value(), "the table can be built");
    table_ = *built;
    hosts_ = hosts;
    shard_.adopt(table_, hosts);
  }

  // The limits in force, as this host has its share of them.
  std::vector<Limit> limits_of(const PolicySpec& spec) const {
    std::vector<Limit> limits = spec.limits;
    for (Limit& each : limits) {
      if (spec.mode == Mode::kLocal) continue;
      const auto share = [&](int64_t whole) { return std::max(whole / hosts_, int64_t{1}); };
      each = make_limit(share(each.count), share(each.burst), each.window_us, each.calendar);
    }
    return limits;
  }

  // The key's model, fitted to the policy in force; null where the operation does not go with it.
  KeyModel* model_of(Operation& op) {
    Algorithm algorithm = Algorithm::kGcra;
    std::vector<Limit> limits;
    if (op.verb == Verb::kThrottle) {
      limits = {*op.throttle};
    } else {
      const Policy* policy = table_->find(op.policy);
      op.outcome = Outcome::kNoPolicy;
      if (policy == nullptr) return nullptr;
      op.outcome = Outcome::kUnfit;
      if (op.verb == Verb::kCheck && op.policy == kJobs) return nullptr;
      algorithm = policy->spec.algorithm;
      limits = limits_of(policy->spec);
    }
    const auto known = models_.try_emplace(op.key.rest, algorithm, limits).first;
    if (op.verb == Verb::kReset) known->second = KeyModel(algorithm, limits);
    known->second.fit(algorithm, limits, now_);
    return &known->second;
  }

  static void compare(const Operation& got, const Operation& expected) {
    require(got.outcome == expected.outcome, "an outcome is the models'");
    require(got.answer.limit == expected.answer.limit, "a limit is the models'");
    require(got.answer.remaining == expected.answer.remaining, "what is left is the models'");
    require(got.answer.retry_us == expected.answer.retry_us, "a wait is the models'");
    require(got.answer.reset_us == expected.answer.reset_us, "a reset is the models'");
  }

  void decide(size_t count) {
    std::vector<Operation> batch;
    while (batch.size() < count) batch.push_back(next_operation(input_, false, now_, tickets_));
    std::vector<Operation> expected = batch;
    shard_.decide(batch, now_);
    for (size_t i = 0; i < count; ++i) {
      if (KeyModel* model = model_of(expected[i])) model->decide(expected[i], now_);
      compare(batch[i], expected[i]);
    }
  }

  // The models decide one after the other and forget it if one refuses.
  void decide_together(size_t count) {
    std::vector<Operation> group;
    while (group.size() < count) group.push_back(next_operation(input_, true, now_, tickets_));
    std::vector<Operation> expected = group;
    const bool all = shard_.decide_together(group, now_);
    std::vector<KeyModel*> models;
    for (Operation& op : expected) models.push_back(model_of(op));
    const std::map<uint64_t, KeyModel> before = models_;
    bool expected_all = true;
    for (size_t i = 0; i < count; ++i) {
      if (models[i] != nullptr) models[i]->decide(expected[i], now_);
      expected_all = expected_all && expected[i].outcome == Outcome::kAdmitted;
      require(group[i].outcome == expected[i].outcome, "each of a group is asked");
    }
    require(all == expected_all, "a group is admitted if each of it is");
    if (!all) models_ = before;
    for (size_t i = 0; all && i < count; ++i) compare(group[i], expected[i]);
  }

  Input input_;
  Shard shard_{Shard::Settings{size_t{128} << 10}};
  std::shared_ptr<const PolicyTable> table_;
  uint32_t hosts_ = 1;
  TimeUs now_ = 1'790'000'000'000'000;
  uint64_t tickets_ = 0;
  std::map<uint64_t, KeyModel> models_;  // by KeyHash::rest

 public:
  bool at_end() const { return input_.at_end(); }
};

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): the fuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Run run(Input(data, size));
  for (size_t steps = 0; steps < kStepsMax && !run.at_end(); ++steps) run.step();
  return 0;
}
