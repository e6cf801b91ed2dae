// When a sliding log's expiry is renewed: often enough, and no more.
#include <gtest/gtest.h>

#include "tests/unit/store_fixture.h"

namespace toll::engine {
namespace {

class StoreRenewal : public StoreBatchTest {};

TEST_F(StoreRenewal, ALogIsRenewedOncePerHalfWindow) {
  const auto renews = [&](TimeUs at, int64_t admitted, int64_t used = 0) {
    again();
    EXPECT_EQ(add(question(Verb::kCheck, "log", "ann"), at), Added::kTaken);
    const int64_t b = pack().items[0].parts[0].b;
    EXPECT_TRUE(
        batch_.deal(packed({at, admitted, used, at / kMs - 5, used == 5 ? at / kMs - 5 : 0})));
    return b == 1;
  };
  EXPECT_TRUE(renews(kNoon, 1));
  EXPECT_FALSE(renews(kNoon + kSecond, 1));
  EXPECT_FALSE(renews(kNoon + 5 * kSecond - 1, 1));
  // What was refused was not written.
  EXPECT_TRUE(renews(kNoon + 5 * kSecond, 0, 5));
  EXPECT_TRUE(renews(kNoon + 6 * kSecond, 1));
  EXPECT_FALSE(renews(kNoon + 7 * kSecond, 1));
  EXPECT_TRUE(renews(kNoon, 1));  // a clock that stepped back
}

TEST_F(StoreRenewal, WhatWasNotAnsweredWasNotRenewed) {
  check("log", "ann");
  EXPECT_EQ(pack().items[0].parts[0].b, 1);
  EXPECT_FALSE(batch_.deal("lost"));
  again();
  check("log", "ann");
  EXPECT_EQ(pack().items[0].parts[0].b, 1);
}

TEST_F(StoreRenewal, ALongerWindowIsRenewedAtOnce) {
  const auto renews = [&] {
    again();
    check("log", "ann");
    const bool renewed = pack().items[0].parts[0].b == 1;
    EXPECT_TRUE(deal({1, 0, 0, 0}));
    return renewed;
  };
  EXPECT_TRUE(renews());
  EXPECT_FALSE(renews());
  std::erase_if(specs_, [](const PolicySpec& spec) { return spec.name == "log"; });
  policy("log", Algorithm::kSlidingLog, {make_limit(5, 0, kHour)});
  EXPECT_TRUE(renews());
  EXPECT_FALSE(renews());
}

TEST_F(StoreRenewal, ALogThatOthersWriteIsRenewedEachTime) {
  policy("shared", Algorithm::kSlidingLog, {make_limit(5, 0, 10 * kSecond)}, "ratelimit:{id}");
  for (int i = 0; i < 3; ++i) {
    again();
    check("shared", "ann");
    EXPECT_EQ(pack().items[0].parts[0].b, 1);
    EXPECT_TRUE(deal({1, 0, 0, 0}));
  }
}

}  // namespace
}  // namespace toll::engine
