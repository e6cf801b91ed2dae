#include "engine/cost_call.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "engine/store_pack.h"
#include "tests/unit/accounts.h"

namespace toll::engine {
namespace {

using testing::ElementsAre;

class CostCallTest : public testing::Test {
 protected:
  Account& account(const std::string& id) {
    return *ledger_.find_or_add(kHasher(1, id), id, kNovember, false);
  }

  CostCharge charge(Account& to, uint64_t sequence, NanoDollars amount, std::string_view key = "") {
    return {.account = &to, .number = {1, sequence}, .amount = amount, .key = key};
  }

  // A call of these.
  template <typename... Parts>
  void form(Parts&... parts) {
    call_.begin();
    const bool room = (call_.add(parts) && ...);
    EXPECT_TRUE(room);
    call_.pack();
  }

  std::vector<int64_t> numbers() {
    PackReader reader(call_.arguments()[0]);
    std::vector<int64_t> all(reader.array());
    for (int64_t& number : all) number = reader.number();
    return all;
  }

  static std::string reply(const std::vector<int64_t>& numbers) {
    PackWriter writer;
    writer.begin(numbers.size());
    for (const int64_t number : numbers) writer.number(number);
    return std::string(writer.bytes());
  }

  Ledger ledger_{100};
  CostCall call_{{.prefix = "p:", .node = {0xab}, .epoch = 1, .default_budget = kNoBudget}};
};

TEST_F(CostCallTest, ChargesOfOneAccountAreOneOperation) {
  Account& ann = account("ann");
  CostCharge first = charge(ann, 7, 1'500'000'000);
  CostCharge second = charge(ann, 9, 2);
  form(first, second);
  EXPECT_THAT(call_.keys(), ElementsAre("p:cost:ann:2026:11"));
  EXPECT_EQ(call_.arguments()[1], "w:ab000000000000000000000000000000");
  const int64_t expires = month_end_ms(kNovember) + 60LL * 86'400'000;
  EXPECT_THAT(numbers(),
              ElementsAre(0, 1, 1, expires, 1, 0, 0, 0, 0, 1, 7, 1, 9, 1, 500'000'002, 0));
}

TEST_F(CostCallTest, WhatIsAppliedCountsAndMovesTheMark) {
  Account& ann = account("ann");
  ASSERT_TRUE(Ledger::accept(ann, 5));
  CostCharge one = charge(ann, 7, 5);
  form(one);
  const auto dealt = call_.deal(reply({0, 1, 7, 0, 0, 3, 5, 0, 0}));
  ASSERT_TRUE(dealt.has_value());
  EXPECT_EQ((*dealt)[0].verdict, CostVerdict::kApplied);
  EXPECT_TRUE(one.done);
  EXPECT_EQ(ann.pending(), 0);
  EXPECT_EQ(ann.total, 3 * kNanosPerDollar + 5);
  EXPECT_EQ(ann.mark, (ChargeNumber{1, 7}));
}

TEST_F(CostCallTest, TheNextGoesOnlyUponTheLast) {
  Account& ann = account("ann");
  ann.mark = ChargeNumber{1, 7};
  CostCharge next = charge(ann, 8, 5);
  form(next);
  const std::vector<int64_t> all = numbers();
  EXPECT_THAT(std::vector(all.begin() + 6, all.begin() + 9), ElementsAre(1, 1, 7));
}

TEST_F(CostCallTest, OfWhatWasAppliedInPartTheRestIsLeft) {
  Account& ann = account("ann");
  ASSERT_TRUE(Ledger::accept(ann, 30));
  std::vector<CostCharge> charges = {charge(ann, 1, 10), charge(ann, 2, 20)};
  form(charges[0], charges[1]);
  const auto dealt = call_.deal(reply({2, 1, 1, 0, 0, 0, 10, 0, 0}));
  ASSERT_TRUE(dealt.has_value());
  EXPECT_FALSE((*dealt)[0].forgot);
  EXPECT_TRUE(charges[0].done);
  EXPECT_FALSE(charges[1].done);
  EXPECT_EQ(ann.pending(), 20);
  EXPECT_EQ(ann.mark, (ChargeNumber{1, 1}));
}

TEST_F(CostCallTest, AStoreThatHadMoreHasForgotten) {
  Account& ann = account("ann");
  ann.mark = ChargeNumber{1, 7};
  CostCharge next = charge(ann, 8, 5);
  form(next);
  const auto dealt = call_.deal(reply({2, 1, 3, 0, 0, 0, 1, 0, 0}));
  ASSERT_TRUE(dealt.has_value());
  EXPECT_TRUE((*dealt)[0].forgot);
  EXPECT_FALSE(next.done);
}

TEST_F(CostCallTest, WhatTheMarkCoversIsNotSentAgain) {
  Account& ann = account("ann");
  ASSERT_TRUE(Ledger::accept(ann, 5));
  ann.mark = ChargeNumber{1, 7};
  CostCharge old = charge(ann, 7, 5);
  call_.begin();
  EXPECT_TRUE(call_.add(old));
  EXPECT_TRUE(old.done);
  EXPECT_TRUE(call_.empty());
  EXPECT_EQ(ann.pending(), 0);
}

TEST_F(CostCallTest, WhatIsHeldHereCountsInWhatTheStoreDecides) {
  Account& ann = account("ann");
  ledger_.hold(ann, "5:a", 5, 1'000);
  CostQuestion question{.verb = CostVerb::kCheck, .account = &ann, .amount = 1};
  form(question);
  // After the head, the item's three and the verb and amount: what counts beside the total.
  const std::vector<int64_t> all = numbers();
  EXPECT_THAT(std::vector(all.begin() + 9, all.begin() + 11), ElementsAre(0, 5));
}

TEST_F(CostCallTest, WhatIsLateIsNotCountedTwice) {
  Account& ann = account("ann");
  ASSERT_TRUE(Ledger::accept(ann, 10));
  CostQuestion question{.account = &ann, .accepted = ann.accepted};
  ASSERT_TRUE(Ledger::accept(ann, 20));
  CostCharge one = charge(ann, 1, 10);
  CostCharge two = charge(ann, 2, 20);
  form(one, two, question);
  ASSERT_TRUE(call_.deal(reply({0, 1, 2, 0, 0, 0, 30, 0, 0, 1, 0, 30, 0, 0, -1, 0})).has_value());
  EXPECT_EQ(question.spent, 10) << "the second was accepted after it";
}

TEST_F(CostCallTest, WhatComesLaterCountsToo) {
  Account& ann = account("ann");
  ASSERT_TRUE(Ledger::accept(ann, 10));
  CostQuestion question{.verb = CostVerb::kCheck, .account = &ann, .accepted = ann.accepted};
  form(question);
  EXPECT_THAT(call_.keys(),
              ElementsAre("p:cost:ann:2026:11", "{p:cost:ann:2026:11}:holds", "p:budget:ann"));
  EXPECT_EQ(question.more, 10);
  ASSERT_TRUE(call_.deal(reply({0, 1, 0, 0, 0, 0, 1, 0, 0, 50, 0})).has_value());
  EXPECT_EQ(question.outcome, CostOutcome::kNo);
  EXPECT_EQ(question.spent, 11);
  EXPECT_EQ(ann.budget, 50 * kNanosPerDollar);
}

TEST_F(CostCallTest, AHoldThatNobodyWaitsForAnyMoreIsTold) {
  Account& ann = account("ann");
  ledger_.hold(ann, "5:a", 5, 1'000);
  CostQuestion question{.verb = CostVerb::kHold, .account = &ann, .amount = 5, .hold = "5:a"};
  form(question);
  call_.forget(question);
  ASSERT_TRUE(call_.deal(reply({0, 0, 0, 5, 1, 0, 0, 0, 5, -1, 0})).has_value());
  ASSERT_EQ(call_.late_holds().size(), 1u);
  EXPECT_EQ(call_.late_holds()[0].name, "5:a");
}

TEST_F(CostCallTest, AReplyToAnotherCallChangesNothing) {
  Account& ann = account("ann");
  CostCharge one = charge(ann, 7, 5);
  form(one);
  const std::vector<int64_t> good = {0, 1, 7, 0, 0, 3, 5, 0, 0};
  const std::string whole = reply(good);
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(call_.deal(whole.substr(0, size)).has_value());
  }
  for (size_t place = 0; place < good.size(); ++place) {
    for (const int64_t wrong : {int64_t{-1}, INT64_MAX}) {
      std::vector<int64_t> changed = good;
      changed[place] = wrong;
      EXPECT_FALSE(call_.deal(reply(changed)).has_value()) << place;
    }
  }
  EXPECT_FALSE(one.done);
  EXPECT_FALSE(ann.known);
  EXPECT_TRUE(call_.deal(whole).has_value());
}

TEST_F(CostCallTest, ACallHasBounds) {
  CostCall small({.prefix = "", .accounts_max = 2, .keyed_max = 1, .questions_max = 1});
  std::vector<CostCharge> charges = {charge(account("a"), 1, 1), charge(account("b"), 2, 1, "k"),
                                     charge(account("c"), 3, 1), charge(account("a"), 4, 1, "l")};
  small.begin();
  EXPECT_TRUE(small.add(charges[0]));
  EXPECT_TRUE(small.add(charges[1]));
  EXPECT_FALSE(small.add(charges[2])) << "a third account";
  EXPECT_FALSE(small.add(charges[3])) << "a second key";
  CostQuestion first{.account = &account("a")};
  CostQuestion second{.account = &account("a")};
  EXPECT_TRUE(small.add(first));
  EXPECT_FALSE(small.add(second));
}

}  // namespace
}  // namespace toll::engine
