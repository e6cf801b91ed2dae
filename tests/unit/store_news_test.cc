#include "daemon/store_news.h"

#include <gtest/gtest.h>
#include <string>
#include <utility>
#include <vector>

namespace toll::daemon {
namespace {

constexpr std::string_view kSelf = "0123456789abcdef";
constexpr std::string_view kOther = "fedcba9876543210";

struct Heard {
  std::vector<std::pair<std::string, std::string>> keys;
  int all = 0;
  bool good = false;

  explicit Heard(std::string_view message, std::string_view self = kSelf) {
    good = StoreNews::read(
        message, self,
        [this](std::string_view policy, std::string_view id) { keys.emplace_back(policy, id); },
        [this] { ++all; });
  }
};

engine::KeyHash key(uint64_t number) {
  return {.rest = number, .tag = static_cast<uint32_t>(number * 7), .home = 1};
}

TEST(StoreNews, WhatWasSentBeforeAnEventIsNotRememberedForThatKey) {
  StoreNews news;
  const uint64_t mark = news.seen();
  news.happened(key(1));
  EXPECT_FALSE(news.still_holds(key(1), mark));
  EXPECT_TRUE(news.still_holds(key(2), mark));
  EXPECT_TRUE(news.still_holds(key(1), news.seen()));
}

TEST(StoreNews, AnEventThatConcernsAllConcernsEachKey) {
  StoreNews news;
  const uint64_t mark = news.seen();
  news.happened_to_all();
  EXPECT_FALSE(news.still_holds(key(1), mark));
  EXPECT_TRUE(news.still_holds(key(1), news.seen()));
}

TEST(StoreNews, AfterMoreEventsThanAreKeptNothingIsCertain) {
  StoreNews news;
  const uint64_t mark = news.seen();
  for (uint64_t i = 0; i < 256; ++i) news.happened(key(100 + i));
  EXPECT_TRUE(news.still_holds(key(1), mark));
  news.happened(key(1000));
  EXPECT_FALSE(news.still_holds(key(1), mark));
}

TEST(StoreNews, AMessageCarriesAnyBytes) {
  StoreNews news;
  EXPECT_FALSE(news.any());
  news.tell("api", std::string_view("a\0b\n", 4));
  news.tell("login", std::string(512, 'x'));
  ASSERT_TRUE(news.any());
  const Heard heard(news.take_message(kOther));
  EXPECT_TRUE(heard.good);
  ASSERT_EQ(heard.keys.size(), 2u);
  EXPECT_EQ(heard.keys[0].second, std::string("a\0b\n", 4));
  EXPECT_EQ(heard.keys[1], std::make_pair(std::string("login"), std::string(512, 'x')));
  EXPECT_FALSE(news.any());
  EXPECT_EQ(news.take_message(kOther), "");
}

TEST(StoreNews, RepeatsAreToldOnce) {
  StoreNews news;
  for (int i = 0; i < 1000; ++i) news.tell("api", "alice");
  EXPECT_EQ(Heard(news.take_message(kOther)).keys.size(), 1u);
}

TEST(StoreNews, OnesOwnMessageIsNotHeard) {
  StoreNews news;
  news.tell("api", "alice");
  const Heard heard(news.take_message(kSelf));
  EXPECT_TRUE(heard.good);
  EXPECT_TRUE(heard.keys.empty());
}

TEST(StoreNews, TooMuchToTellBecomesEverything) {
  StoreNews news;
  for (int i = 0; i < 10'000; ++i) news.tell("api", "user-" + std::to_string(i));
  const std::string_view message = news.take_message(kOther);
  EXPECT_LE(message.size(), StoreNews::kMessageMax);
  const Heard heard(message);
  EXPECT_EQ(heard.all, 1);
  EXPECT_TRUE(heard.keys.empty());
  news.tell("api", "alice");  // and afterwards single keys again
  EXPECT_EQ(Heard(news.take_message(kOther)).keys.size(), 1u);
}

TEST(StoreNews, AMessageCutAnywhereIsHarmless) {
  StoreNews news;
  news.tell("api", "alice");
  news.tell("login", "bob");
  const std::string message(news.take_message(kOther));
  for (size_t length = 0; length < message.size(); ++length) {
    const Heard heard(std::string_view(message).substr(0, length));
    EXPECT_LE(heard.keys.size(), 1u) << length;
  }
}

}  // namespace
}  // namespace toll::daemon
