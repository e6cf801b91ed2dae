#include "engine/ledger.h"

#include <gtest/gtest.h>
#include <set>
#include <string>

#include "engine/charge_keys.h"
#include "tests/unit/accounts.h"
#include "tests/unit/times.h"

namespace toll::engine {
namespace {

KeyHash key(std::string_view id) {
  return kHasher(1, id);
}

TEST(Ledger, AnAccountIsAnIdsMonth) {
  Ledger ledger(10);
  Account* const november = ledger.find_or_add(key("ann"), "ann", kNovember, false);
  ASSERT_NE(november, nullptr);
  EXPECT_EQ(ledger.find(key("ann"), "ann", kNovember), november);
  EXPECT_EQ(ledger.find(key("ann"), "ann", kNovember + 1), nullptr);
  EXPECT_NE(ledger.find_or_add(key("ann"), "ann", kNovember + 1, false), november);
  EXPECT_EQ(ledger.find(key("bob"), "bob", kNovember), nullptr);
}

TEST(Ledger, SpentIsWhatTheStoreSaidAndWhatIsOnItsWay) {
  Ledger ledger(10);
  Account& account = *ledger.find_or_add(key("ann"), "ann", kNovember, false);
  account.total = 100;
  EXPECT_TRUE(Ledger::accept(account, 30));
  EXPECT_TRUE(Ledger::accept(account, 4));
  EXPECT_EQ(account.spent(), 134);
  account.total = 130;
  account.applied = 30;
  EXPECT_EQ(account.pending(), 4);
  EXPECT_EQ(account.spent(), 134);
  Ledger::refuse(account, 4);
  EXPECT_EQ(account.spent(), 130);
}

TEST(Ledger, ASumThatDoesNotFitIsRefusedAndChangesNothing) {
  Ledger ledger(10);
  Account& account = *ledger.find_or_add(key("ann"), "ann", kNovember, false);
  EXPECT_TRUE(Ledger::accept(account, kDollarsMax - 5));
  EXPECT_FALSE(Ledger::accept(account, 6));
  EXPECT_EQ(account.spent(), kDollarsMax - 5);
  EXPECT_TRUE(Ledger::accept(account, 5));
  EXPECT_FALSE(Ledger::accept(account, 1));
}

TEST(Ledger, HoldsCountUntilTheyEnd) {
  Ledger ledger(10);
  Account& account = *ledger.find_or_add(key("ann"), "ann", kNovember, false);
  ledger.hold(account, "5:a", 5, kNoon + 10);
  ledger.hold(account, "7:b", 7, kNoon + 20);
  ledger.hold(account, "7:b", 7, kNoon + 20);
  EXPECT_EQ(account.all_held(), 12);
  account.store_held = 3;
  EXPECT_EQ(account.all_held(), 15);
  ledger.lapse(kNoon + 9);
  EXPECT_EQ(account.held, 12);
  ledger.lapse(kNoon + 10);
  EXPECT_EQ(account.held, 7);
  EXPECT_EQ(Ledger::release(account, "7:b"), 7);
  EXPECT_EQ(Ledger::release(account, "7:b"), std::nullopt);
  EXPECT_EQ(account.held, 0);
  ledger.lapse(kNoon + 100);
  EXPECT_EQ(account.held, 0);
}

TEST(Ledger, IdleAccountsMakeRoomAndOthersDoNot) {
  Ledger ledger(4);
  for (int i = 0; i < 4; ++i) {
    const std::string id = "id" + std::to_string(i);
    Account& account = *ledger.find_or_add(key(id), id, kNovember, false);
    if (i == 0) account.accepted = 1;
    if (i == 1) account.users = 1;
    if (i == 2) ledger.hold(account, "1:a", 1, kNoon);
  }
  EXPECT_NE(ledger.find_or_add(key("new"), "new", kNovember, false), nullptr);
  EXPECT_EQ(ledger.find(key("id3"), "id3", kNovember), nullptr) << "the one that was idle";
  ledger.find(key("new"), "new", kNovember)->users = 1;
  EXPECT_EQ(ledger.find_or_add(key("more"), "more", kNovember, false), nullptr);
  EXPECT_EQ(ledger.must_find_or_add(key("more"), "more", kNovember).id, "more");
  for (size_t i = 0; i < ledger.size(); ++i) EXPECT_EQ(ledger.at(i).place, i);
}

// As snapshots do.
TEST(Ledger, WhoWalksItBackwardsMeetsAllThatStay) {
  Ledger ledger(100);
  for (int i = 0; i < 100; ++i) {
    const std::string id = "id" + std::to_string(i);
    Account& account = *ledger.find_or_add(key(id), id, kNovember, true);
    if (i % 10 != 0) account.total = 1;
  }
  std::set<std::string> met;
  int added = 0;
  for (size_t place = ledger.size(); place > 0;) {
    met.insert(ledger.at(--place).id);
    if (place % 20 != 0) continue;
    const std::string id = "new" + std::to_string(++added);
    if (Account* account = ledger.find_or_add(key(id), id, kNovember, true)) account->total = 1;
  }
  EXPECT_GT(added, 3);
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(i % 10 == 0 || met.contains("id" + std::to_string(i))) << i;
  }
}

TEST(Ledger, TotalsThatAreNowhereElseStay) {
  Ledger ledger(1);
  Account& account = *ledger.find_or_add(key("ann"), "ann", kNovember, true);
  account.total = 1;
  EXPECT_EQ(ledger.find_or_add(key("bob"), "bob", kNovember, true), nullptr);
  EXPECT_NE(ledger.find_or_add(key("bob"), "bob", kNovember, false), nullptr);
}

TEST(ChargeKeys, AreKnownForADay) {
  ChargeKeys keys(10);
  EXPECT_TRUE(keys.add(key("a"), 7, kNoon, false));
  EXPECT_EQ(keys.find(key("a")), 7);
  keys.answered(key("a"), 9);
  EXPECT_EQ(keys.find(key("a")), 9);
  keys.expire(kNoon + kChargeKeyLifeUs - 1);
  EXPECT_EQ(keys.find(key("a")), 9);
  keys.expire(kNoon + kChargeKeyLifeUs);
  EXPECT_EQ(keys.find(key("a")), std::nullopt);
}

TEST(ChargeKeys, TheOldestMakeRoomOnlyWhereTheyMay) {
  ChargeKeys keys(2);
  EXPECT_TRUE(keys.add(key("a"), 1, kNoon, false));
  EXPECT_TRUE(keys.add(key("b"), 2, kNoon + 1, false));
  EXPECT_FALSE(keys.add(key("c"), 3, kNoon + 2, false));
  EXPECT_TRUE(keys.add(key("c"), 3, kNoon + 2, true));
  EXPECT_EQ(keys.find(key("a")), std::nullopt);
  keys.remove(key("b"));
  EXPECT_TRUE(keys.add(key("d"), 4, kNoon + 3, false)) << "what was removed takes no room";
  EXPECT_EQ(keys.find(key("c")), 3);
}

}  // namespace
}  // namespace toll::engine
