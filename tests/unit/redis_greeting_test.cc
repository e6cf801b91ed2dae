#include "net/redis_greeting.h"

#include "tests/unit/redis_link_fixture.h"

namespace toll::net::testing {
namespace {

class RedisGreetingTest : public RedisLinkTest {
 protected:
  // Greets in vain, because the answer to `command` is `bytes`.
  std::string reason_after(std::string_view command, std::string bytes) {
    redis_.answer_with(command, std::move(bytes));
    if (!link_) open();
    until_away();
    EXPECT_EQ(owner_.readies, 0);
    return owner_.reasons.empty() ? "" : owner_.reasons.back();
  }
  void answer_info_server(std::string_view version) {
    redis_.answer_with("INFO server", bulk("redis_version:" + std::string(version) + "\r\n"));
  }
};

constexpr std::string_view kNoPerm = "-NOPERM this user has no permissions to run the command\r\n";

TEST_P(RedisGreetingTest, EverythingIsSaidInOrderBeforeTheLinkIsReady) {
  RedisLinkSettings made = settings();
  made.username = "user";
  made.password = "secret";
  made.database = 3;
  open(std::move(made));
  owner_.at_ready = [&] { EXPECT_EQ(redis_.heard.size(), 10u); };
  until_ready();
  EXPECT_EQ(redis_.heard,
            (std::vector<std::string>{"AUTH user secret", "CLIENT SETNAME tollkeeper", "SELECT 3",
                                      "CLIENT NO-EVICT on", "INFO server", "INFO memory",
                                      "INFO replication", "PING", "SCRIPT LOAD #!lua\n1",
                                      "SCRIPT LOAD #!lua\n2"}));
  EXPECT_EQ(link().server().major, 7u);
  EXPECT_EQ(link().server().minor, 0u);
  EXPECT_EQ(link().server().run_id, "f00");
  EXPECT_EQ(link().server().maxmemory_policy, "noeviction");
  EXPECT_EQ(link().server().role, "master");
  EXPECT_EQ(link().sha1(0), "a7");
  EXPECT_EQ(link().sha1(1), "b7");
  EXPECT_EQ(link().generation(), 1u);
}

TEST_P(RedisGreetingTest, WhatIsNotConfiguredIsNotSaid) {
  RedisLinkSettings made = settings();
  made.client_name = "";
  made.scripts = {};
  made.password = "secret";
  open(std::move(made));
  until_ready();
  EXPECT_EQ(redis_.heard,
            (std::vector<std::string>{"AUTH secret", "CLIENT NO-EVICT on", "INFO server",
                                      "INFO memory", "INFO replication", "PING"}));
}

TEST_P(RedisGreetingTest, AnEndAtAnyByteOfTheGreetingIsAwayAndNeverReady) {
  open();
  until_ready();
  const size_t all = redis_.said;
  for (size_t bytes = 0; bytes < all; ++bytes) {
    link().cut("again");
    until_away();
    redis_.hang_up_at = bytes;
    wait_to_redial();
    until_away();
    redis_.hang_up_at = SIZE_MAX;
    until_ready();
  }
  EXPECT_EQ(owner_.readies, static_cast<int>(all) + 1);
  EXPECT_EQ(owner_.aways(), 2 * all);
}

TEST_P(RedisGreetingTest, AGreetingMayComeInPiecesOfAByte) {
  redis_.piece = 1;
  open();
  until_ready();
  EXPECT_EQ(link().server().role, "master");
}

TEST_P(RedisGreetingTest, AnOlderRedisGetsTheOlderScripts) {
  answer_info_server("6.2.14");
  open();
  until_ready();
  EXPECT_EQ(link().server().major, 6u);
  EXPECT_EQ(link().server().minor, 2u);
  EXPECT_EQ(redis_.heard_of("SCRIPT LOAD 1"), 1u);
  EXPECT_EQ(redis_.heard_of("SCRIPT LOAD #!lua\n1"), 0u);
  EXPECT_EQ(link().sha1(0), "a6");
}

TEST_P(RedisGreetingTest, WhereInfoIsForbiddenTheScriptsTellTheVersion) {
  redis_.answer_with("INFO", std::string(kNoPerm));
  open();
  until_ready();
  EXPECT_EQ(link().server().major, 0u);
  EXPECT_EQ(link().server().role, "");
  EXPECT_EQ(link().sha1(0), "a7");

  link().cut("for an older one");
  until_away();
  redis_.answer_with("SCRIPT LOAD #!lua", "-ERR Error compiling script: unexpected symbol\r\n");
  until_ready();
  EXPECT_EQ(link().sha1(0), "a6");
  EXPECT_EQ(redis_.heard.back(), "SCRIPT LOAD 2");
}

TEST_P(RedisGreetingTest, WithoutLeaveForNiceThingsOneGoesOn) {
  for (const char* command : {"CLIENT", "INFO", "PING", "SCRIPT"}) {
    redis_.answer_with(command, std::string(kNoPerm));
  }
  open();
  until_ready();
  EXPECT_EQ(link().sha1(1), "b7");
}

TEST_P(RedisGreetingTest, AScriptThatCannotBeLoadedIsNamed) {
  EXPECT_EQ(reason_after("SCRIPT LOAD #!lua\n2", "-ERR Error compiling\x01\r\n"),
            "hall: script two cannot be loaded: ERR Error compiling?");
}

TEST_P(RedisGreetingTest, AnotherDigestIsAFailure) {
  EXPECT_EQ(reason_after("SCRIPT LOAD #!lua\n2", bulk("b8")),
            "hall: it has another digest for script two");
  EXPECT_FALSE(owner_.refused);
}

TEST_P(RedisGreetingTest, ARedisThatIsNotFitYetIsAway) {
  const auto check = [&](std::string_view command, std::string_view bytes, std::string_view why) {
    SCOPED_TRACE(why);
    redis_ = {};
    const std::string reason = reason_after(command, std::string(bytes));
    EXPECT_TRUE(reason.contains(why)) << reason;
    EXPECT_FALSE(owner_.refused);
    close();
  };
  check("PING", "-LOADING Redis is loading the dataset in memory\r\n", "loading");
  check("PING", "-MASTERDOWN Link with MASTER is down\r\n", "replica");
  check("CLIENT SETNAME", "-ERR max number of clients reached\r\n", "maxclients");
  check("PING", "-BUSY Redis is busy running a script.\r\n", "busy");
  check("INFO replication", bulk("role:slave\r\n"), "is a replica");
}

TEST_P(RedisGreetingTest, ARedisThatTurnsUsAwayIsLeftAloneForLonger) {
  EXPECT_EQ(reason_after("CLIENT SETNAME", "-NOAUTH Authentication required.\r\n"),
            "hall: it wants a password, and none is configured (redis.password_file)");
  EXPECT_TRUE(owner_.refused);
  link().tick(now_ns_);
  EXPECT_GE(link().next_tick_ns(), now_ns_ + settings().redial_max_ns);
}

TEST_P(RedisGreetingTest, AnotherPasswordIsTriedAtOnce) {
  RedisLinkSettings made = settings();
  made.password = "old";
  redis_.answer_with("AUTH old", "-WRONGPASS invalid username-password pair\r\n");
  open(std::move(made));
  until_away();
  EXPECT_TRUE(owner_.refused);
  link().tick(now_ns_);
  link().set_password("old");
  EXPECT_GT(link().next_tick_ns(), now_ns_);
  link().set_password("new");
  until([&] { return owner_.readies == 1; });
  EXPECT_EQ(redis_.heard_of("AUTH new"), 1u);
}

TEST_P(RedisGreetingTest, APasswordGivenWhileReadyWaitsForTheNextConnection) {
  open();
  until_ready();
  link().set_password("new");
  Call call;
  ask(call, {"ECHO", "x"});
  until_told(call);
  EXPECT_EQ(redis_.heard_of("AUTH new"), 0u);
  redis_.hang_up();
  until_away();
  until_ready();
  EXPECT_EQ(redis_.heard_of("AUTH new"), 1u);
}

TEST_P(RedisGreetingTest, NoReasonRepeatsThePassword) {
  for (const char* error : {"-ERR unknown command 'AUTH', with args beginning with: 'hunter2'\r\n",
                            "-WRONGPASS hunter2\r\n", "-ERR invalid password hunter2\r\n",
                            "-ERR AUTH <password> called without any password configured for the "
                            "default user. hunter2\r\n"}) {
    redis_ = {};
    RedisLinkSettings made = settings();
    made.password = "hunter2";
    open(std::move(made));
    const std::string reason = reason_after("AUTH", error);
    EXPECT_TRUE(owner_.refused) << reason;
    EXPECT_FALSE(reason.contains("hunter2")) << reason;
    close();
  }
}

TEST_P(RedisGreetingTest, ADatabaseThatThereIsNotIsNamed) {
  RedisLinkSettings made = settings();
  made.database = 99;
  open(std::move(made));
  EXPECT_EQ(reason_after("SELECT", "-ERR DB index is out of range\r\n"),
            "hall: database 99 cannot be selected: ERR DB index is out of range");
}

TEST_P(RedisGreetingTest, AGreetingHasUntilTheDialTimeout) {
  redis_.mute = true;
  open();
  until([&] { return redis_.heard_of("PING") == 1; });
  EXPECT_EQ(link().next_tick_ns(), now_ns_ + 1000 * kMs);
  skip();
  until_away();
  EXPECT_TRUE(owner_.reasons[0].contains("no greeting within 1000 ms")) << owner_.reasons[0];
}

TEST_P(RedisGreetingTest, WhatIsNoRedisIsTakenForNone) {
  const std::string reason = reason_after("CLIENT SETNAME", "HTTP/1.1 400 Bad Request\r\n");
  EXPECT_TRUE(reason.contains("is it a Redis?")) << reason;
}

INSTANTIATE_TEST_SUITE_P(Backends, RedisGreetingTest, ::testing::ValuesIn(variants()), name_of);

}  // namespace
}  // namespace toll::net::testing
