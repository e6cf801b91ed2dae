// The link and a real Redis.
#include "tests/unit/redis_server.h"

#include "net/clock.h"
#include "net/redis_address.h"
#include "tests/unit/redis_link_fixture.h"

namespace toll::net::testing {
namespace {

// The digests are sha1sum's.
constexpr std::array kRealScripts = std::to_array<RedisScript>({
    {.name = "answer",
     .body = "#!lua\nreturn 42",
     .sha1 = "af0c2198de362cc55cf73d22a928eeea40a25ed9",
     .body_6 = "return 42",
     .sha1_6 = "1fa00e76656cc152ad327c13fe365858fd7be306"},
});

class RedisServerTest : public LoopTest {
 protected:
  ~RedisServerTest() override {
    if (!link_) return;
    link_->stop();
    run_until([&] { return link_->stopped(); });
  }

  RedisLinkSettings settings(const RedisServer& server) {
    RedisLinkSettings made;
    const auto address = resolve({.host = "", .path = server.path()});
    EXPECT_TRUE(address);
    made.address = *address;
    made.client_name = "tollkeeper";
    made.scripts = kRealScripts;
    made.redial_min_ns = 1'000'000;
    made.redial_max_ns = 20'000'000;
    return made;
  }

  void open(RedisLinkSettings settings) {
    link_ = std::make_unique<RedisLink>(loop(), pool_, std::move(settings), owner_, 11);
    link_->start(monotonic_ns());
  }

  RedisLink& link() { return *link_; }

  template <typename Done>
  void until(Done done) {
    run_until(
        [&] {
          if (link_->next_tick_ns() <= monotonic_ns()) link_->tick(monotonic_ns());
          return done();
        },
        1'000'000);
  }
  void until_ready(RedisServer& server) {
    const int before = owner_.readies;
    until([&] { return owner_.readies > before || server.ended(); });
    ASSERT_TRUE(link_->ready()) << "no redis-server? Debian and Ubuntu have it as redis-server";
  }

  void ask(Call& call, std::initializer_list<std::string_view> words) {
    link_->begin(call, words.size());
    for (const std::string_view word : words) link_->word(word);
    link_->end(monotonic_ns());
    link_->flush();
  }
  void until_told(const Call& call) {
    until([&] { return call.told > 0; });
  }

  ChunkPool pool_;
  LinkOwner owner_;
  std::unique_ptr<RedisLink> link_;
};

TEST_P(RedisServerTest, GreetsAndCallsItsScripts) {
  RedisServer server;
  server.start();
  open(settings(server));
  ASSERT_NO_FATAL_FAILURE(until_ready(server));
  EXPECT_GE(link().server().major, 6u);
  EXPECT_EQ(link().server().run_id.size(), 40u);
  EXPECT_EQ(link().server().role, "master");
  EXPECT_EQ(link().server().maxmemory_policy, "noeviction");
  Call name;
  Call scripted;
  Call flushed;
  Call missing;
  ask(name, {"CLIENT", "GETNAME"});
  ask(scripted, {"EVALSHA", link().sha1(0), "0"});
  ask(flushed, {"SCRIPT", "FLUSH"});
  ask(missing, {"EVALSHA", link().sha1(0), "0"});
  until_told(missing);
  EXPECT_EQ(name.text, "tollkeeper");
  EXPECT_EQ(scripted.kind, RedisReply::Kind::kInteger);
  EXPECT_EQ(error_kind(missing.text), RedisErrorKind::kNoScript);
  Call again;
  link().load_scripts(monotonic_ns());
  ask(again, {"EVALSHA", link().sha1(0), "0"});
  until_told(again);
  EXPECT_EQ(again.kind, RedisReply::Kind::kInteger);
  EXPECT_EQ(owner_.readies, 1);
}

TEST_P(RedisServerTest, AfterAKillItIsReadyAgainWithAnotherServer) {
  RedisServer server;
  server.start();
  open(settings(server));
  ASSERT_NO_FATAL_FAILURE(until_ready(server));
  const std::string run = link().server().run_id;
  Call call;
  ask(call, {"BLPOP", "nothing", "0"});
  server.kill();
  until_told(call);
  EXPECT_EQ(call.loss, CallLoss::kBroken);
  until([&] { return owner_.aways() >= 3; });  // refused, for nobody listens on the socket
  server.start();
  ASSERT_NO_FATAL_FAILURE(until_ready(server));
  EXPECT_NE(link().server().run_id, run);
  EXPECT_EQ(link().generation(), 2u);
  Call scripted;
  ask(scripted, {"EVALSHA", link().sha1(0), "0"});
  until_told(scripted);
  EXPECT_EQ(scripted.kind, RedisReply::Kind::kInteger);
}

TEST_P(RedisServerTest, AStoppedServerCostsTheCallItsTime) {
  RedisServer server;
  server.start();
  RedisLinkSettings made = settings(server);
  made.call_timeout_ns = 50'000'000;
  open(std::move(made));
  ASSERT_NO_FATAL_FAILURE(until_ready(server));
  server.signal(SIGSTOP);
  Call first;
  Call second;
  ask(first, {"PING"});
  ask(second, {"PING"});
  until_told(second);
  server.signal(SIGCONT);
  EXPECT_EQ(first.loss, CallLoss::kTimedOut);
  EXPECT_EQ(second.loss, CallLoss::kBroken);
  if (!link().ready()) until_ready(server);
}

TEST_P(RedisServerTest, TheRightPasswordIsLetInAndTheWrongOneIsNot) {
  RedisServer server({"--requirepass", "correct"});
  server.start();
  RedisLinkSettings made = settings(server);
  made.password = "wrong-horse";
  open(std::move(made));
  until([&] { return owner_.refused || server.ended(); });
  ASSERT_TRUE(owner_.refused);
  EXPECT_TRUE(owner_.reasons.back().contains("refuses the user name or the password"));
  EXPECT_FALSE(owner_.reasons.back().contains("wrong-horse"));
  link().set_password("");
  owner_.refused = false;
  until([&] { return owner_.refused; });
  EXPECT_TRUE(owner_.reasons.back().contains("wants a password")) << owner_.reasons.back();
  link().set_password("correct");
  ASSERT_NO_FATAL_FAILURE(until_ready(server));
}

TEST_P(RedisServerTest, AUserOfTheLeastRightsIsGreeted) {
  RedisServer server({"--user", "least", "on", ">secret", "~*", "-@all", "+evalsha", "+ping"});
  server.start();
  RedisLinkSettings made = settings(server);
  made.username = "least";
  made.password = "secret";
  open(std::move(made));
  ASSERT_NO_FATAL_FAILURE(until_ready(server));
  EXPECT_EQ(link().server().major, 0u);
  EXPECT_EQ(link().server().role, "");
  Call missing;
  ask(missing, {"EVALSHA", link().sha1(0), "0"});
  until_told(missing);
  EXPECT_EQ(error_kind(missing.text), RedisErrorKind::kNoScript);
}

TEST_P(RedisServerTest, AReplicaIsNoMaster) {
  RedisServer server({"--replicaof", "127.0.0.1", "1"});
  server.start();
  open(settings(server));
  until([&] {
    return server.ended() || (!owner_.reasons.empty() && owner_.reasons.back().contains("replica"));
  });
  EXPECT_FALSE(server.ended());
  EXPECT_EQ(owner_.readies, 0);
}

TEST_P(RedisServerTest, MessagesOfAChannelAreHeard) {
  RedisServer server;
  server.start();
  open(settings(server));
  ASSERT_NO_FATAL_FAILURE(until_ready(server));
  Call subscribed;
  ask(subscribed, {"SUBSCRIBE", "news", "weather"});
  until([&] { return owner_.pushed.size() == 1; });
  EXPECT_EQ(subscribed.kind, RedisReply::Kind::kArray);
  EXPECT_EQ(owner_.pushed[0], "subscribe weather 2 ");

  LinkOwner other_owner;
  RedisLink other(loop(), pool_, settings(server), other_owner, 12);
  other.start(monotonic_ns());
  other.tick(monotonic_ns());
  until([&] { return other.ready(); });
  Call published;
  other.begin(published, 3);
  for (const char* word : {"PUBLISH", "news", "rain"}) other.word(word);
  other.end(monotonic_ns());
  other.flush();
  until([&] { return owner_.pushed.size() == 2; });
  EXPECT_EQ(owner_.pushed[1], "message news rain ");
  other.stop();
  run_until([&] { return other.stopped(); });
  Call ping;
  ask(ping, {"PING"});
  until_told(ping);
  EXPECT_FALSE(ping.lost);
}

INSTANTIATE_TEST_SUITE_P(Backends, RedisServerTest, ::testing::ValuesIn(variants()), name_of);

}  // namespace
}  // namespace toll::net::testing
