// The script's quick road and its general one are the same: checks, leases and returns by either of
// them, and what others may have left in a key.
#include <array>
#include <cstdint>
#include <gtest/gtest.h>
#include <random>
#include <string>
#include <vector>

#include "tests/sim/script_store.h"
#include "tests/unit/seed.h"
#include "tests/unit/times.h"

namespace toll::sim {
namespace {

using engine::Operation;
using engine::Verb;

class ScriptRoads : public testing::Test {
 protected:
  int64_t between(int64_t least, int64_t most) {
    return std::uniform_int_distribution<int64_t>(least, most)(random_);
  }

  static std::shared_ptr<const engine::PolicyTable> policies() {
    std::vector<engine::PolicySpec> specs;
    // A unit of the last costs no whole microseconds: it never travels on the quick road.
    for (const auto& [count, window_us] :
         {std::pair<int64_t, int64_t>{20, 10 * kSecond}, {1'000'000, kSecond}, {7, 3 * kSecond}}) {
      engine::PolicySpec& spec = specs.emplace_back();
      spec.name = "p" + std::to_string(specs.size());
      spec.mode = engine::Mode::kLeased;
      spec.limits = {engine::make_limit(count, 0, window_us)};
    }
    return *engine::PolicyTable::build(specs, nullptr);
  }

  Operation operation(int64_t now_us) {
    Operation op;
    op.policy = static_cast<uint16_t>(between(0, 2));
    op.key = {.rest = op.policy, .tag = 0, .home = 0};
    const std::array kVerbs{Verb::kCheck,  Verb::kCheck,  Verb::kLease, Verb::kLease,
                            Verb::kReturn, Verb::kReturn, Verb::kPeek,  Verb::kReset};
    op.verb = kVerbs[static_cast<size_t>(between(0, kVerbs.size() - 1))];
    if (op.verb == Verb::kReset && between(0, 9) > 0) op.verb = Verb::kCheck;
    op.units = between(1, between(0, 1) == 0 ? 3 : 300);
    op.revision = table_->policies()[op.policy].revision;
    if (op.verb == Verb::kLease) op.lease_us = between(1, 3 * kSecond);
    // One that is over, one that is not, and on the spot.
    if (op.verb == Verb::kReturn) op.lease_us = now_us + between(-1, 1) * between(0, 2 * kSecond);
    return op;
  }

  // What is no gcra's, or not a plain number.
  void meddle(const std::string& key, int64_t now_us) {
    const std::string soon = std::to_string(now_us + between(0, 5 * kSecond));
    const std::array<std::string, 5> kTexts{"no number", "", soon + ":3", "12", soon};
    const std::string& text = kTexts[static_cast<size_t>(between(0, kTexts.size() - 1))];
    for (ScriptStore* store : {&quick_, &general_}) {
      store->run({"DEL", key}, now_us);
      if (meddled_ % 5 == 0) {
        store->run({"RPUSH", key, "a list"}, now_us);
      } else {
        store->run({"SET", key, text}, now_us);
      }
    }
    ++meddled_;
  }

  static std::string text_of(const Operation& op) {
    return std::to_string(static_cast<int>(op.outcome)) + " " + std::to_string(op.granted) + " " +
           std::to_string(op.lease_us) + " " + std::to_string(op.answer.remaining) + " " +
           std::to_string(op.answer.retry_us) + " " + std::to_string(op.answer.reset_us);
  }

  std::mt19937_64 random_{test_seed(3)};
  std::shared_ptr<const engine::PolicyTable> table_ = policies();
  ScriptStore quick_{table_};
  ScriptStore general_{table_, {.quick_max = 0}};
  int64_t meddled_ = 0;
};

TEST_F(ScriptRoads, QuickAndGeneralDecideAlike) {
  int64_t now_us = kNoon;
  std::array<int64_t, 16> done{};
  for (int i = 0; i < 40'000 && !HasFailure(); ++i) {
    now_us += between(0, between(0, 20) == 0 ? 5 * kSecond : 20 * kMs);
    const Operation asked = operation(now_us);
    const std::string key = "gcra:p" + std::to_string(asked.policy + 1) + ":a";
    if (between(0, 99) == 0) meddle(key, now_us);
    Operation by_quick = asked;
    Operation by_general = asked;
    quick_.decide(by_quick, "a", now_us);
    general_.decide(by_general, "a", now_us);
    ASSERT_EQ(text_of(by_quick), text_of(by_general))
        << "verb " << static_cast<int>(asked.verb) << " units " << asked.units << " of " << key;
    for (const char* look : {"TYPE", "GET", "PEXPIRETIME"}) {
      ASSERT_EQ(quick_.run({look, key}, now_us), general_.run({look, key}, now_us)) << look;
    }
    if (by_quick.outcome == engine::Outcome::kAdmitted ||
        by_quick.outcome == engine::Outcome::kDone) {
      ++done[static_cast<size_t>(asked.verb)];
    }
  }
  for (const Verb verb : {Verb::kCheck, Verb::kLease, Verb::kReturn}) {
    EXPECT_GT(done[static_cast<size_t>(verb)], 1'000) << static_cast<int>(verb);
  }
}

}  // namespace
}  // namespace toll::sim
