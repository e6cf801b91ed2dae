#include "net/redis_link.h"

#include "tests/unit/redis_link_fixture.h"

namespace toll::net::testing {
namespace {

TEST_P(RedisLinkTest, RepliesReachTheirCallsInOrderHoweverTheyAreCut) {
  open();
  until_ready();
  for (size_t piece = 1; piece < 40; ++piece) {
    redis_.piece = piece;
    std::deque<Call> calls(5);
    std::vector<const Call*> order;
    for (Call& call : calls) call.then = [&] { order.push_back(&call); };
    for (size_t i = 0; i < calls.size(); ++i) ask(calls[i], {"ECHO", std::string(i * 3, 'x')});
    EXPECT_EQ(link().calls_out(), 5u);
    until_told(calls.back());
    for (size_t i = 0; i < calls.size(); ++i) {
      EXPECT_EQ(order[i], &calls[i]);
      EXPECT_EQ(calls[i].text, std::string(i * 3, 'x'));
    }
    EXPECT_EQ(link().calls_out(), 0u);
  }
  EXPECT_EQ(owner_.aways(), 0u);
}

TEST_P(RedisLinkTest, AnEndAtAnyByteOfAReplyLosesTheRestAndComesBack) {
  open();
  until_ready();
  const std::string reply = bulk("seven b") + bulk("");
  for (size_t bytes = 0; bytes < reply.size(); ++bytes) {
    redis_.hang_up_at = redis_.said + bytes;
    Call first;
    Call second;
    ask(first, {"ECHO", "seven b"});
    ask(second, {"ECHO", ""});
    const size_t aways = owner_.aways();
    until([&] { return owner_.aways() > aways; });
    EXPECT_EQ(first.told, 1);
    EXPECT_EQ(second.told, 1);
    EXPECT_EQ(first.lost, bytes < bulk("seven b").size()) << bytes;
    EXPECT_TRUE(second.lost);
    EXPECT_EQ(second.loss, CallLoss::kBroken);
    EXPECT_FALSE(owner_.refused);
    redis_.hang_up_at = SIZE_MAX;
    until_ready();
    EXPECT_EQ(link().generation(), bytes + 2);
    EXPECT_EQ(link().calls_out(), 0u);
  }
}

TEST_P(RedisLinkTest, ACommandLargerThanTheSocketLeavesWhole) {
  open();
  until_ready();
  const std::string big(300'000, 'y');
  Call call;
  Call after;
  ask(call, {"ECHO", big});
  EXPECT_GT(link().unsent_bytes(), big.size());
  ask(after, {"ECHO", "z"});
  until_told(after);
  EXPECT_TRUE(call.text == big);
  EXPECT_EQ(after.text, "z");
  EXPECT_EQ(link().unsent_bytes(), 0u);
}

TEST_P(RedisLinkTest, AWordOfAnySizeLeavesWhole) {
  open();
  until_ready();
  std::deque<Call> calls;
  for (size_t size = kOutputPieceMax - 40; size < kOutputPieceMax + 2; ++size) {
    ask(calls.emplace_back(), {"ECHO", std::string(size, 'w')});
  }
  until_told(calls.back());
  for (size_t i = 0; i < calls.size(); ++i) {
    EXPECT_EQ(calls[i].text, std::string(kOutputPieceMax - 40 + i, 'w'));
  }
}

TEST_P(RedisLinkTest, NumbersAreWrittenAsWords) {
  open();
  until_ready();
  Call call;
  link().begin(call, 3);
  link().word("ECHO");
  link().word(INT64_MIN);
  link().word(int64_t{0});
  link().end(now_ns_);
  link().flush();
  until_told(call);
  EXPECT_EQ(call.text, "-9223372036854775808");
  EXPECT_EQ(redis_.heard.back(), "ECHO -9223372036854775808 0");
}

TEST_P(RedisLinkTest, AnErrorIsAReply) {
  redis_.answer_with("EVALSHA", "-NOSCRIPT No matching script.\r\n");
  open();
  until_ready();
  Call call;
  ask(call, {"EVALSHA", link().sha1(0), "0"});
  until_told(call);
  EXPECT_EQ(call.kind, RedisReply::Kind::kError);
  EXPECT_EQ(call.text, "NOSCRIPT No matching script.");
  EXPECT_TRUE(link().ready());
}

TEST_P(RedisLinkTest, ScriptsAreLoadedAgainOnceBeforeWhatFollows) {
  open();
  until_ready();
  redis_.heard.clear();
  Call call;
  link().load_scripts(now_ns_);
  link().load_scripts(now_ns_);
  EXPECT_EQ(link().calls_out(), 0u);
  ask(call, {"ECHO", "x"});
  EXPECT_EQ(link().calls_out(), 1u);
  until_told(call);
  EXPECT_EQ(redis_.heard,
            (std::vector<std::string>{"SCRIPT LOAD #!lua\n1", "SCRIPT LOAD #!lua\n2", "ECHO x"}));
  link().load_scripts(now_ns_);
  link().flush();
  until([&] { return redis_.heard.size() == 5; });
  EXPECT_EQ(owner_.aways(), 0u);
}

TEST_P(RedisLinkTest, AScriptThatCannotBeLoadedAgainCostsTheConnection) {
  open();
  until_ready();
  redis_.answer_with("SCRIPT", bulk("c0ffee"));
  link().load_scripts(now_ns_);
  link().flush();
  until_away();
  EXPECT_TRUE(owner_.reasons[0].contains("another digest for script one")) << owner_.reasons[0];
}

TEST_P(RedisLinkTest, PastItsTimeTheOldestCallTakesTheConnectionWithIt) {
  open();
  until_ready();
  redis_.mute = true;
  Call first;
  Call second;
  ask(first, {"ECHO", "1"});
  now_ns_ += 100 * kMs;
  ask(second, {"ECHO", "2"});
  until([&] { return !redis_.unsaid.empty(); });
  EXPECT_EQ(link().next_tick_ns(), now_ns_ + 150 * kMs);
  now_ns_ += 150 * kMs - 1;
  link().tick(now_ns_);
  EXPECT_TRUE(link().ready());
  now_ns_ += 1;
  link().tick(now_ns_);
  EXPECT_FALSE(link().ready());
  EXPECT_EQ(first.told, 0);
  until_away();
  EXPECT_EQ(first.loss, CallLoss::kTimedOut);
  EXPECT_EQ(second.loss, CallLoss::kBroken);
  EXPECT_TRUE(owner_.reasons[0].contains("no reply within 250 ms")) << owner_.reasons[0];
}

TEST_P(RedisLinkTest, WhatComesLateFromAnOldConnectionTouchesNothing) {
  open();
  until_ready();
  redis_.mute = true;
  Call lost;
  ask(lost, {"ECHO", "old"});
  until([&] { return !redis_.unsaid.empty(); });
  skip();
  say(redis_.client, redis_.unsaid);  // in the kernel's queue when the connection is given up
  link().tick(now_ns_);
  until_away();
  const Fd old = std::move(redis_.client);
  redis_.mute = false;
  until_ready();
  Call call;
  ask(call, {"ECHO", "new"});
  EXPECT_LT(::send(*old, "+late\r\n", 7, MSG_NOSIGNAL), 0);
  until_told(call);
  EXPECT_EQ(call.text, "new");
  EXPECT_EQ(lost.told, 1);
  EXPECT_TRUE(lost.lost);
  EXPECT_EQ(link().generation(), 2u);
}

TEST_P(RedisLinkTest, SilenceIsBrokenByAPing) {
  open();
  until_ready();
  redis_.heard.clear();
  Call call;
  now_ns_ += 600 * kMs;
  ask(call, {"ECHO", "x"});
  until_told(call);
  EXPECT_EQ(link().next_tick_ns(), now_ns_ + 1000 * kMs);
  skip();
  until([&] { return redis_.heard_of("PING") == 1; });
  EXPECT_EQ(link().calls_out(), 0u);
  until([&] { return link().next_tick_ns() == now_ns_ + 1000 * kMs; });
  redis_.mute = true;
  skip();
  until([&] { return redis_.heard_of("PING") == 2; });
  skip();
  until_away();
  EXPECT_FALSE(link().ready());
}

TEST_P(RedisLinkTest, WhatIsNoReplyOrWasNotAskedForEndsTheConnection) {
  for (const char* bytes :
       {"?", "$3\r\nabcd\r\n", "*65537\r\n", "+OK\r\n", "-ERR for no reason\r\n",
        "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n"}) {
    if (!link_) open();
    until_ready();
    redis_.unsaid = bytes;
    until_away();
    EXPECT_FALSE(owner_.refused);
    EXPECT_TRUE(owner_.reasons.back().starts_with("hall: it sent ")) << owner_.reasons.back();
  }
}

TEST_P(RedisLinkTest, CallsInFrontOfWhatIsNoReplyAreAnswered) {
  open();
  until_ready();
  redis_.answer_with("BAD", "+fine\r\n!\r\n");
  Call first;
  Call second;
  ask(first, {"BAD"});
  ask(second, {"ECHO", "x"});
  until_away();
  EXPECT_EQ(first.text, "fine");
  EXPECT_EQ(second.loss, CallLoss::kBroken);
}

TEST_P(RedisLinkTest, MessagesOfASubscriptionGoToTheOwner) {
  redis_.answer_with("SUBSCRIBE",
                     "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n"
                     "*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n");
  redis_.answer_with("PING", "+PONG\r\n");
  open();
  until_ready();
  Call call;
  ask(call, {"SUBSCRIBE", "a", "b"});
  until_told(call);
  EXPECT_EQ(call.kind, RedisReply::Kind::kArray);
  until([&] { return owner_.pushed.size() == 1; });
  EXPECT_EQ(owner_.pushed[0], "subscribe b 2 ");

  // A message may come between a PING and its answer, which is an array here.
  redis_.mute = true;
  Call ping;
  ask(ping, {"PING"});
  until([&] { return redis_.heard.back() == "PING"; });
  redis_.unsaid =
      "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n"
      "*2\r\n$4\r\npong\r\n$0\r\n\r\n"
      "*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\na\r\n$2\r\nho\r\n";
  redis_.mute = false;
  until([&] { return owner_.pushed.size() == 3; });
  EXPECT_EQ(ping.told, 1);
  EXPECT_EQ(owner_.pushed[1], "message a hi ");
  EXPECT_EQ(owner_.pushed[2], "pmessage * a ho ");

  redis_.unsaid = "+surprise\r\n";
  until_away();
}

TEST_P(RedisLinkTest, AReplyThatLooksLikeAMessageIsAReplyWhereNothingWasSubscribed) {
  redis_.answer_with("LRANGE", "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nb\r\n");
  open();
  until_ready();
  Call call;
  ask(call, {"LRANGE", "list", "0", "2"});
  until_told(call);
  EXPECT_EQ(call.kind, RedisReply::Kind::kArray);
  EXPECT_TRUE(owner_.pushed.empty());
}

TEST_P(RedisLinkTest, AHandlerMayBeginACallInAReplyAndWhenReady) {
  Call call;
  Call next;
  owner_.at_ready = [&] { ask(call, {"ECHO", "1"}); };
  call.then = [&] { ask(next, {"ECHO", "2"}); };
  open();
  until_told(next);
  EXPECT_EQ(call.text, "1");
  EXPECT_EQ(next.text, "2");
}

TEST_P(RedisLinkTest, AHandlerMayCutInAReply) {
  open();
  until_ready();
  Call first;
  Call second;
  first.then = [&] {
    owner_.inside = true;
    link().cut("of no use");
    EXPECT_FALSE(link().ready());
    link().flush();
    link().cut("again");
    owner_.inside = false;
  };
  ask(first, {"ECHO", "1"});
  ask(second, {"ECHO", "2"});
  until_away();
  EXPECT_EQ(second.loss, CallLoss::kCut);
  EXPECT_EQ(owner_.reasons, std::vector<std::string>{"hall: of no use"});
  until_ready();
}

TEST_P(RedisLinkTest, AHandlerMayCutWhenReadyAndWhenItLosesACall) {
  open();
  owner_.at_ready = [&] { link().cut("not today"); };
  until_away();
  owner_.at_ready = nullptr;
  until_ready();
  Call call;
  call.then = [&] { link().cut("once more"); };
  owner_.at_away = [&] { link().cut("and again"); };
  redis_.mute = true;
  ask(call, {"ECHO", "1"});
  redis_.hang_up();
  until_away();
  EXPECT_EQ(call.loss, CallLoss::kBroken);
  EXPECT_EQ(owner_.aways(), 2u);
  redis_.mute = false;
  until_ready();
}

TEST_P(RedisLinkTest, AHandlerMayStopAnywhere) {
  const auto stop = [&] { link().stop(); };
  for (int where = 0; where < 4; ++where) {
    owner_ = {};
    redis_.hang_up();
    open();
    Call first;
    Call second;
    if (where == 0) owner_.at_ready = stop;
    if (where == 1) first.then = stop;
    if (where == 2) second.then = stop;
    if (where == 3) owner_.at_away = stop;
    until([&] { return owner_.readies == 1; });
    if (where > 0) {
      ask(first, {"ECHO", "1"});
      ask(second, {"QUIT"});
      until_told(first);
      redis_.hang_up();
    }
    until([&] { return link().stopped(); });
    EXPECT_EQ(owner_.aways(), where == 3 ? 1u : 0u);
    EXPECT_EQ(link().next_tick_ns(), INT64_MAX);
    link_.reset();
  }
}

TEST_P(RedisLinkTest, StoppingTellsTheCallsAndNothingElse) {
  open();
  until_ready();
  redis_.mute = true;
  Call call;
  ask(call, {"ECHO", "1"});
  owner_.inside = true;
  link().stop();
  owner_.inside = false;
  EXPECT_FALSE(link().stopped());
  EXPECT_EQ(call.told, 0);
  run_until([&] { return link().stopped(); });
  EXPECT_EQ(call.loss, CallLoss::kCut);
  EXPECT_EQ(call.told, 1);
  EXPECT_EQ(owner_.aways(), 0u);
}

TEST_P(RedisLinkTest, ALinkThatNeverBeganOrIsAwayStopsAtOnce) {
  link_ = std::make_unique<RedisLink>(loop(), pool_, settings(), owner_, 7);
  EXPECT_TRUE(link().stopped());
  EXPECT_EQ(link().next_tick_ns(), INT64_MAX);
  link().start(now_ns_);
  EXPECT_FALSE(link().stopped());
  link().stop();
  EXPECT_TRUE(link().stopped());
}

INSTANTIATE_TEST_SUITE_P(Backends, RedisLinkTest, ::testing::ValuesIn(variants()), name_of);

}  // namespace
}  // namespace toll::net::testing
