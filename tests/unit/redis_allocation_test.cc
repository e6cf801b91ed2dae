// In steady state the link to Redis does not allocate: not for calls, not for replies.
#include "net/redis_reader.h"
#include "tests/unit/counting_allocator.h"
#include "tests/unit/redis_link_fixture.h"

namespace toll::net::testing {
namespace {

// Without the strings of other calls, and begun again with each reply.
struct Repeated final : RedisCall {
  explicit Repeated(RedisLink& on) : link(on) {}
  void begin() {
    link.begin(*this, 4);
    link.word("EVALSHA");
    link.word(link.sha1(0));
    link.word(int64_t{1});
    link.word("gcra:{api:alice}");
    link.end(1);
  }
  void on_reply(const RedisReply& reply) override {
    ++replies;
    elements += reply.count;
    if (replies % 3 != 0) begin();
  }
  void on_lost(CallLoss) override { ADD_FAILURE() << "lost"; }

  RedisLink& link;
  uint64_t replies = 0;
  uint64_t elements = 0;
};

class RedisAllocation : public RedisLinkTest {
 protected:
  static constexpr std::string_view kReply =
      "*4\r\n:1\r\n$20\r\nxxxxxxxxxxxxxxxxxxxx\r\n*2\r\n+a\r\n-b\r\n$-1\r\n";

  // Answers as many commands as have come whole.
  void answer() {
    std::array<char, 4096> heard{};
    ssize_t got = 0;
    while ((got = ::recv(*redis_.client, heard.data(), heard.size(), MSG_DONTWAIT)) > 0) {
      stars_ += std::count(heard.data(), heard.data() + got, '*');
    }
    for (; stars_ > 0; --stars_) say(redis_.client, kReply);
  }

  ptrdiff_t stars_ = 0;
};

TEST_P(RedisAllocation, CallsAndRepliesAllocateNothing) {
  open();
  until_ready();
  std::deque<Repeated> calls;
  for (int i = 0; i < 8; ++i) calls.emplace_back(link());
  const auto exchange = [&] {
    for (int round = 0; round < 300; ++round) {
      for (Repeated& call : calls) call.begin();
      link().flush();
      while (link().calls_out() > 0) {
        answer();
        loop().run_once(0);
        link().flush();
      }
    }
  };
  exchange();
  EXPECT_EQ(test::allocations_of(exchange), 0u);
  EXPECT_EQ(calls.front().replies, 2u * 300 * 3);
  EXPECT_EQ(calls.front().elements, 4u * calls.front().replies);
}

TEST_P(RedisAllocation, AHealthCheckAllocatesNothing) {
  open();
  until_ready();
  const auto check = [&] {
    for (int round = 0; round < 100; ++round) {
      skip();
      link().tick(now_ns_);
      while (link().next_tick_ns() - now_ns_ < 1000 * kMs) {
        answer();
        loop().run_once(0);
      }
    }
  };
  check();
  EXPECT_EQ(test::allocations_of(check), 0u);
}

TEST(RedisReaderAllocation, ALargeReplyCostsItsMemoryOnce) {
  std::string reply = "*60000\r\n";
  for (int i = 0; i < 60'000; ++i) reply += "$4\r\nabcd\r\n";
  RedisReader reader;
  const auto read = [&] {
    reader.feed(reply);
    ASSERT_EQ(reader.next(), RedisReader::Next::kReply);
    ASSERT_EQ(reader.reply().array().back().text, "abcd");
    ASSERT_EQ(reader.next(), RedisReader::Next::kMore);
  };
  read();
  read();
  EXPECT_EQ(test::allocations_of(read), 0u);
}

INSTANTIATE_TEST_SUITE_P(Backends, RedisAllocation, ::testing::ValuesIn(variants()), name_of);

}  // namespace
}  // namespace toll::net::testing
