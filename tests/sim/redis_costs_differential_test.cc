// lua/costs.lua and lua/epoch.lua in the simulated Redis and in a real one: random charges and
// questions of two daemons, some of their calls lost and sent again, all replies and keys compared.
#include <array>
#include <cstdint>
#include <deque>
#include <gtest/gtest.h>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/cost_call.h"
#include "engine/ledger.h"
#include "lua/scripts.h"
#include "tests/sim/random.h"
#include "tests/sim/redis_both_scripts.h"

namespace toll::sim {
namespace {

using engine::Account;
using engine::CostCall;
using engine::CostCharge;
using engine::CostLayout;
using engine::CostQuestion;
using engine::CostVerb;

constexpr int64_t kBegin = 4'102'444'800'000'000;  // 2100
constexpr int kCostRounds = 400;
constexpr int64_t kNanos = 1'000'000'000;

class Daemon {
 public:
  Daemon(Random random, CostLayout layout, uint8_t node)
      : random_(random), layout_(layout), node_(node) {
    restart();
  }

  CostCall& call() { return *call_; }

  void fill(int64_t now_us) {
    if (random_.chance(3)) restart();
    if (random_.chance(5)) {
      for (size_t i = 0; i < ledger_.size(); ++i) ledger_.at(i).mark.reset();
    }
    for (int64_t more = random_.between(0, 6); more > 0; --more) waiting_.push_back(charge(now_us));
    call_->begin();
    questions_.clear();
    for (CostCharge& each : waiting_) {
      const auto& mark = each.account->mark;
      if (mark && each.number <= *mark) each.done = true;
      if (!each.done && !call_->add(each)) break;
    }
    for (int64_t more = random_.between(0, 4); more > 0; --more) ask(now_us);
    call_->pack();
  }

  void deal(std::string_view reply) {
    const auto dealt = call_->deal(reply);
    ASSERT_TRUE(dealt) << dealt.error();
    bool fenced = false;
    for (const CostCall::Dealt& each : *dealt) {
      ++verdicts[static_cast<size_t>(each.verdict)];
      fenced = fenced || each.verdict == engine::CostVerdict::kFenced;
    }
    call_->begin();
    while (!waiting_.empty() && (fenced || waiting_.front().done)) waiting_.pop_front();
  }

  std::array<uint64_t, 6> verdicts{};

 private:
  void restart() {
    if (call_) call_->begin();
    ++epoch_;
    sequence_ = 0;
    call_.emplace(CostCall::Settings{.layout = layout_,
                                     .prefix = "sim:",
                                     .node = {node_},
                                     .epoch = epoch_,
                                     .default_budget = 500 * kNanos});
  }

  Account& account(int64_t now_us) {
    const std::string id = "id" + std::to_string(random_.below(4));
    const engine::Month month = engine::month_at(now_us) - (random_.chance(20) ? 1 : 0);
    return ledger_.must_find_or_add(hasher_(1, id), id, month);
  }

  std::string_view keep(std::string text) { return texts_.emplace_back(std::move(text)); }

  std::string_view hold_name(int64_t amount) {
    return keep(std::to_string(amount) + ":" + std::to_string(++holds_));
  }

  int64_t amount() {
    if (random_.chance(2)) return engine::kDollarsMax - random_.between(0, 3);
    return random_.chance(50) ? random_.skewed(0, 50) * kNanos : random_.between(0, 5 * kNanos);
  }

  CostCharge charge(int64_t now_us) {
    CostCharge made{.account = &account(now_us),
                    .number = {epoch_, ++sequence_},
                    .amount = amount(),
                    .key = {}};
    if (random_.chance(30)) made.key = keep("k" + std::to_string(random_.below(60)));
    if (!names_.empty() && random_.chance(20)) {
      made.key = names_[random_.below(names_.size())];
      made.settles = true;
    }
    return made;
  }

  void ask(int64_t now_us) {
    constexpr std::array kVerbs = {CostVerb::kGet,       CostVerb::kCheck,      CostVerb::kHold,
                                   CostVerb::kHold,      CostVerb::kHold,       CostVerb::kCancel,
                                   CostVerb::kBudgetSet, CostVerb::kBudgetClear};
    auto question = std::make_unique<CostQuestion>();
    question->verb = kVerbs[random_.below(kVerbs.size())];
    question->account = &account(now_us);
    question->amount = amount();
    question->accepted = random_.chance(30) ? random_.between(0, 9 * kNanos) : 0;
    question->expires = now_us + random_.skewed(0, 60'000'000);
    if (question->verb == CostVerb::kHold) {
      question->hold = hold_name(question->amount);
      names_.push_back(question->hold);
    } else if (question->verb == CostVerb::kCancel) {
      question->hold = names_.empty() ? hold_name(1) : names_[random_.below(names_.size())];
    }
    if (call_->add(*question)) questions_.push_back(std::move(question));
  }

  Random random_;
  const CostLayout layout_;
  const uint8_t node_;
  std::optional<CostCall> call_;
  engine::KeyHasher hasher_{{1, 2}};
  engine::Ledger ledger_{1'000};
  std::deque<CostCharge> waiting_;
  std::vector<std::unique_ptr<CostQuestion>> questions_;
  std::deque<std::string> texts_;
  std::vector<std::string_view> names_;
  uint64_t epoch_ = 0;
  uint64_t sequence_ = 0;
  uint64_t holds_ = 0;
};

class RedisCosts : public BothScripts {
 protected:
  RedisCosts()
      : costs_(load(lua::kCosts,
                    {{"redis.call('TIME')", "{ARGV[#ARGV - 1], ARGV[#ARGV]}"},
                     {"'PX', DAY_MS", "'PXAT', string.format('%.0f', now_ms + DAY_MS)"}})),
        epoch_(load(lua::kEpoch, {})) {}

  std::string send(CostCall& asked, int64_t now_us) {
    Words words{std::to_string(asked.keys().size())};
    words.insert(words.end(), asked.keys().begin(), asked.keys().end());
    words.insert(words.end(), asked.arguments().begin(), asked.arguments().end());
    words_ = words;
    std::string reply = call(costs_, lua::kCosts, words, now_us);
    EXPECT_TRUE(reply.starts_with('$')) << shown(reply);
    const size_t begin = reply.find("\r\n") + 2;
    return reply.substr(begin, reply.size() - begin - 2);
  }

  void run(uint64_t seed, CostLayout layout) {
    Random random(seed);
    std::array<Daemon, 2> daemons = {Daemon(random.fork(), layout, 1),
                                     Daemon(random.fork(), layout, 2)};
    int64_t now_us = kBegin;
    for (int round = 0; round < kCostRounds && !HasFailure(); ++round) {
      now_us += random.skewed(0, random.chance(2) ? 90'000 * kSecond : 5 * kSecond);
      Daemon& daemon = daemons[random.below(2)];
      daemon.fill(now_us);
      if (daemon.call().empty()) continue;
      // What is no account is left alone.
      if (random.chance(3)) {
        const auto keys = daemon.call().keys();
        const std::string key(keys[random.below(keys.size())]);
        look({"DEL", key}, now_us);
        const bool spares =
            key.ends_with(":holds") || key.contains(":key:") || key.contains(":settled:");
        if (!spares && random.chance(70)) look({"RPUSH", key, "what"}, now_us);
      }
      const std::string reply = send(daemon.call(), now_us);
      if (random.chance(5)) late_ = words_;
      if (random.chance(5) && !late_.empty()) call(costs_, lua::kCosts, late_, now_us);
      if (random.chance(75)) daemon.deal(reply);
      if (round % 8 == 7) compare_keys(now_us);
    }
    for (const Daemon& daemon : daemons) {
      for (size_t i = 0; i < verdicts_.size(); ++i) verdicts_[i] += daemon.verdicts[i];
    }
  }

  std::string costs_;
  std::string epoch_;
  std::array<uint64_t, 6> verdicts_{};
  Words words_;  // of the last call
  Words late_;   // of one that comes once more
};

TEST_F(RedisCosts, ChargesAndQuestionsAreTakenAlike) {
  for (uint64_t seed = 1; seed <= 4 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    compare({"FLUSHALL"});
    run(seed, seed % 2 == 0 ? CostLayout::kHash : CostLayout::kString);
  }
  for (const uint64_t verdict : verdicts_) std::cout << verdict << ' ';
  std::cout << "of each verdict, " << keys_seen_ << " keys seen\n";
  // Nobody is told that it is fenced here: those are calls of a former start, that came late.
  verdicts_[static_cast<size_t>(engine::CostVerdict::kFenced)] = 1;
  for (const uint64_t verdict : verdicts_) EXPECT_GT(verdict, 0u);
  EXPECT_GT(keys_seen_, 500u);
}

TEST_F(RedisCosts, EpochsAreClaimedAlike) {
  Random random(5);
  for (int i = 0; i < 500 && !HasFailure(); ++i) {
    const std::string key = "sim:epoch" + std::to_string(random.below(3));
    if (random.chance(2)) look({"SET", key, "what"}, kBegin);
    if (random.chance(4)) look({"DEL", key}, kBegin);
    call(epoch_, lua::kEpoch,
         {"1", key, std::to_string(random.below(9)), "token" + std::to_string(random.below(3))},
         kBegin);
  }
  compare_keys(kBegin);
}

}  // namespace
}  // namespace toll::sim
