// Lua and C++ decide alike: the same random histories are fed to the script in a real Redis, by way
// of StoreBatch, and to a Shard, at the same times, and every field of every reply is compared.
#include <algorithm>
#include <array>
#include <deque>
#include <gtest/gtest.h>
#include <iostream>
#include <string>
#include <vector>

#include "tests/differential/random_world.h"
#include "tests/differential/script_server.h"
#include "tests/unit/seed.h"

namespace toll::engine {
namespace {

constexpr uint64_t kWorlds = 80;
constexpr int kRounds = 60;  // of each world, each at its own time

uint64_t first_seed() {
  return test_seed(3);
}

// One request, as both sides get it.
struct Question {
  std::vector<std::string> ids;
  std::vector<std::string_view> views;
  std::vector<Operation> asked;
  std::vector<Operation> by_store;
  std::vector<Operation> by_shard;
  StoreRequest request;
};

std::string describe(const Question& question, const PolicyTable& table) {
  std::string text;
  for (size_t i = 0; i < question.asked.size(); ++i) {
    const Operation& op = question.asked[i];
    text += "\n  verb " + std::to_string(static_cast<int>(op.verb)) + " units " +
            std::to_string(op.units) + " id " + question.ids[i] + " of ";
    if (op.verb == Verb::kThrottle) {
      text += "throttle " + std::to_string(op.throttle->count) + " burst " +
              std::to_string(op.throttle->burst) + " us " + std::to_string(op.throttle->window_us);
      continue;
    }
    const PolicySpec& spec = table.find(op.policy)->spec;
    text += std::string(to_string(spec.algorithm)) + " " + spec.name;
    for (const Limit& limit : spec.limits) {
      text += " " + std::to_string(limit.count) + "/" + std::to_string(limit.window_us) + "us^" +
              std::to_string(limit.burst) + "c" + std::to_string(static_cast<int>(limit.calendar));
    }
  }
  return text;
}

std::string text_of(const Operation& op) {
  return "outcome " + std::to_string(static_cast<int>(op.outcome)) + " limit " +
         std::to_string(op.answer.limit) + " remaining " + std::to_string(op.answer.remaining) +
         " retry " + std::to_string(op.answer.retry_us) + " reset " +
         std::to_string(op.answer.reset_us);
}

class Differential : public ::testing::Test {
 protected:
  void begin(RandomWorld& world) {
    server_.forget_all();
    rules_ = std::make_shared<StoreRules>(world.table(), world.chance(50) ? "" : "pre:");
    shard_ = std::make_unique<Shard>(Shard::Settings{});
    shard_->adopt(world.table());
  }

  void run(uint64_t seed) {
    SCOPED_TRACE("TOLL_SEED=" + std::to_string(seed));
    RandomWorld world(seed);
    begin(world);
    for (int round = 0; round < kRounds && !HasFailure(); ++round) {
      world.step();
      ask(world);
      decide_by_shard(world.now());
      decide_by_store(world);
      compare(*world.table());
    }
  }

  // A clock that steps back is a shard's own affair, which has seen all that happened: there both
  // sides may differ. But what the script says must still agree with what it does.
  void run_astray(uint64_t seed) {
    SCOPED_TRACE("TOLL_SEED=" + std::to_string(seed));
    RandomWorld world(seed);
    begin(world);
    for (int round = 0; round < kRounds && !HasFailure(); ++round) {
      if (world.chance(30)) {
        world.step_back();
      } else {
        world.step();
      }
      ask(world);
      decide_by_store(world);
    }
  }

  size_t operations_ = 0;
  size_t refused_ = 0;
  size_t groups_refused_ = 0;

 private:
  void ask(RandomWorld& world) {
    questions_.clear();
    const int64_t count = world.chance(20) ? 1 : world.between(2, world.chance(20) ? 150 : 25);
    while (static_cast<int64_t>(questions_.size()) < count) {
      const bool again = !questions_.empty() && world.chance(35) &&
                         questions_.back().asked[0].verb != Verb::kAcquire;
      if (again) {
        const Question last = questions_.back();
        add(last.asked, last.ids);
        continue;
      }
      const int64_t members = world.chance(15) ? world.between(2, 5) : 1;
      std::vector<Operation> operations;
      std::vector<std::string> ids(static_cast<size_t>(members));
      for (std::string& id : ids) {
        operations.push_back(members == 1 ? world.operation(id) : world.check(id));
      }
      add(operations, ids);
    }
  }

  void add(const std::vector<Operation>& operations, const std::vector<std::string>& ids) {
    Question& question = questions_.emplace_back();
    question.asked = operations;
    question.ids = ids;
    question.views.assign(question.ids.begin(), question.ids.end());
    question.by_shard = question.by_store = operations;
    question.request.operations = question.by_store.data();
    question.request.ids = question.views.data();
    question.request.count = static_cast<uint8_t>(operations.size());
    operations_ += operations.size();
  }

  void decide_by_shard(TimeUs now) {
    for (Question& question : questions_) {
      if (question.by_shard.size() > 1) {
        shard_->decide_together(question.by_shard, now);
        continue;
      }
      // What the store repays, a shard has counted already.
      Operation& op = question.by_shard[0];
      if (op.verb == Verb::kRepay) op.verb = Verb::kCharge;
      shard_->decide(question.by_shard, now);
    }
  }

  void decide_by_store(RandomWorld& world) {
    StoreBatch& batch = batches_[static_cast<size_t>(world.between(0, 2))];
    batch.clear(rules_);
    for (Question& question : questions_) {
      StoreBatch::Added added = batch.add(question.request, world.now());
      if (added == StoreBatch::Added::kFull) {
        send(batch, world.now());
        added = batch.add(question.request, world.now());
      }
      ASSERT_EQ(added, StoreBatch::Added::kTaken) << describe(question, *world.table());
      if (world.chance(5)) send(batch, world.now());
    }
    if (!batch.empty()) send(batch, world.now());
  }

  void send(StoreBatch& batch, TimeUs now) {
    batch.pack();
    const auto decided = batch.deal(server_.call(batch, now));
    ASSERT_TRUE(decided) << decided.error();
    EXPECT_EQ(*decided, now);
    batch.clear(rules_);
  }

  void compare(const PolicyTable& table) {
    for (const Question& question : questions_) {
      if (HasFailure()) return;
      ASSERT_EQ(question.request.result, StoreResult::kDecided) << describe(question, table);
      if (question.asked.size() > 1 && !is_comparable(question)) continue;
      for (size_t i = 0; i < question.asked.size(); ++i) compare(question, i, table);
    }
  }

  // Where several operations on one key are refused, the store tells of their sum only.
  bool is_comparable(const Question& question) {
    const auto admitted = [](const std::vector<Operation>& operations) {
      return std::all_of(operations.begin(), operations.end(),
                         [](const Operation& op) { return op.outcome == Outcome::kAdmitted; });
    };
    const bool all = admitted(question.by_shard);
    EXPECT_EQ(admitted(question.by_store), all);
    if (all) return true;
    ++groups_refused_;
    for (size_t i = 0; i < question.asked.size(); ++i) {
      const bool later_on_key =
          std::any_of(question.asked.begin() + static_cast<ptrdiff_t>(i) + 1, question.asked.end(),
                      [&](const Operation& op) { return op.key == question.asked[i].key; });
      if (later_on_key && question.by_shard[i].outcome == Outcome::kRefused) return false;
    }
    return true;
  }

  void compare(const Question& question, size_t i, const PolicyTable& table) {
    Operation ours = question.by_shard[i];
    Operation theirs = question.by_store[i];
    const Verb verb = question.asked[i].verb;
    if (ours.outcome == Outcome::kRefused) ++refused_;
    const bool log = verb != Verb::kThrottle &&
                     table.find(ours.policy)->spec.algorithm == Algorithm::kSlidingLog;
    // Not told to clients, and not known.
    if (verb == Verb::kRelease || (verb == Verb::kRefund && log)) {
      ours.answer.reset_us = theirs.answer.reset_us = 0;
    }
    if (verb == Verb::kRepay) ours.answer = theirs.answer = {};
    EXPECT_EQ(text_of(theirs), text_of(ours))
        << "position " << i << " of" << describe(question, table);
  }

  ScriptServer server_;
  std::deque<Question> questions_;
  std::shared_ptr<const StoreRules> rules_;
  std::unique_ptr<Shard> shard_;
  // Without the script's quick road, with some on it, and as usual.
  std::array<StoreBatch, 3> batches_{StoreBatch({.quick_max = 0}), StoreBatch({.quick_max = 3}),
                                     StoreBatch({})};
};

TEST_F(Differential, TheScriptAndTheShardAnswerAlike) {
  const uint64_t seed = first_seed();
  std::cout << "TOLL_SEED=" << seed << '\n';
  for (uint64_t i = 0; i < kWorlds && !HasFailure(); ++i) run(seed + i);
  std::cout << operations_ << " operations, " << refused_ << " refused, " << groups_refused_
            << " groups refused\n";
  EXPECT_GT(operations_, 10'000u);
  EXPECT_GT(refused_, 1'000u);
  EXPECT_GT(groups_refused_, 50u);
}

TEST_F(Differential, TheScriptAgreesWithItselfUnderAClockThatStepsBack) {
  const uint64_t seed = first_seed();
  std::cout << "TOLL_SEED=" << seed << '\n';
  for (uint64_t i = 0; i < kWorlds && !HasFailure(); ++i) run_astray(seed + i);
  EXPECT_GT(operations_, 10'000u);
}

}  // namespace
}  // namespace toll::engine
