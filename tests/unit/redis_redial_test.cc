// How a connection to Redis is made, and made again.
#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "net/redial_jitter.h"
#include "net/redis_dialer.h"
#include "tests/unit/redis_link_fixture.h"

namespace toll::net::testing {
namespace {

// A listener on loopback.
struct TcpHall {
  explicit TcpHall(int backlog) : fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(*fd, raw(), length), 0);
    EXPECT_EQ(::listen(*fd, backlog), 0);
    EXPECT_EQ(::getsockname(*fd, raw(), &length), 0);
  }
  sockaddr* raw() { return reinterpret_cast<sockaddr*>(&address); }
  // Its queue is full now, and it answers nobody any more.
  void fill() {
    for (int i = 0; i < 2; ++i) {
      const int visitor = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      const int begun = ::connect(visitor, raw(), length);
      EXPECT_TRUE(begun == 0 || errno == EINPROGRESS);
      visitors.emplace_back(visitor);
    }
  }

  Fd fd;
  sockaddr_in address{};
  socklen_t length = sizeof address;
  std::vector<Fd> visitors;
};

struct Dialled final : RedisDialerHandler {
  void on_dialled(int fd) override { socket = Fd(fd); }
  void on_dial_failed(std::string_view what) override { failure = what; }
  bool done() const { return *socket >= 0 || !failure.empty(); }

  Fd socket;
  std::string failure;
};

class RedisRedialTest : public RedisLinkTest {
 protected:
  static RedisAddress::Endpoint nowhere() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::string_view("/nonexistent/redis.sock").copy(address.sun_path, sizeof address.sun_path);
    return endpoint_of(&address, sizeof address);
  }
  RedisAddress::Endpoint hall() const {
    return endpoint_of(&redis_.hall.address, redis_.hall.length);
  }
};

int option(const Fd& fd, int level, int name) {
  int value = 0;
  socklen_t length = sizeof value;
  EXPECT_EQ(::getsockopt(*fd, level, name, &value, &length), 0);
  return value;
}

TEST_P(RedisRedialTest, ATcpSocketIsMadeSoThatASilentPeerIsNoticed) {
  TcpHall there(8);
  const RedisAddress address{{endpoint_of(&there.address, there.length)}, "there"};
  Dialled dialled;
  RedisDialer dialer(loop(), dialled);
  dialer.dial(address);
  run_until([&] { return dialled.done(); });
  ASSERT_EQ(dialled.failure, "");
  EXPECT_NE(option(dialled.socket, IPPROTO_TCP, TCP_NODELAY), 0);
  EXPECT_NE(option(dialled.socket, SOL_SOCKET, SO_KEEPALIVE), 0);
  EXPECT_EQ(option(dialled.socket, IPPROTO_TCP, TCP_KEEPIDLE), kRedisKeepIdleS);
  EXPECT_EQ(option(dialled.socket, IPPROTO_TCP, TCP_KEEPINTVL), kRedisKeepIntervalS);
  EXPECT_EQ(option(dialled.socket, IPPROTO_TCP, TCP_KEEPCNT), kRedisKeepCount);
  EXPECT_EQ(option(dialled.socket, IPPROTO_TCP, TCP_USER_TIMEOUT),
            static_cast<int>(kRedisUserTimeoutMs));
  EXPECT_NE(::fcntl(*dialled.socket, F_GETFL) & O_NONBLOCK, 0);
}

TEST_P(RedisRedialTest, AHostThatSwallowsEverythingCostsTheDialTimeoutOnce) {
  TcpHall full(0);
  full.fill();
  RedisLinkSettings made = settings();
  made.address.endpoints.insert(made.address.endpoints.begin(),
                                endpoint_of(&full.address, full.length));
  open(std::move(made));
  turn();
  EXPECT_EQ(link().next_tick_ns(), now_ns_ + 1000 * kMs);
  skip();
  until_away();
  EXPECT_TRUE(owner_.reasons[0].contains("no connection within 1000 ms")) << owner_.reasons[0];
  EXPECT_EQ(link().generation(), 0u);
  until_ready();
}

TEST_P(RedisRedialTest, StoppingWhileConnectingEnds) {
  TcpHall full(0);
  full.fill();
  RedisLinkSettings made = settings();
  made.address.endpoints = {endpoint_of(&full.address, full.length)};
  open(std::move(made));
  turn();
  link().stop();
  run_until([&] { return link().stopped(); });
  EXPECT_EQ(owner_.aways(), 0u);
}

TEST_P(RedisRedialTest, AddressesAreTriedInTurn) {
  RedisLinkSettings made = settings();
  made.address.endpoints = {nowhere(), hall(), nowhere()};
  open(std::move(made));
  until_ready();
  EXPECT_EQ(owner_.aways(), 0u);
  redis_.hang_up();
  until_away();
  until_ready();
}

TEST_P(RedisRedialTest, AnAddressWhoseRedisIsNoGoodIsPassedOver) {
  Hall other;
  RedisLinkSettings made = settings();
  made.address.endpoints = {endpoint_of(&other.address, other.length), hall()};
  open(std::move(made));
  turn();
  turn();
  skip();  // nobody greets there
  until_away();
  until_ready();
}

TEST_P(RedisRedialTest, NoAddressAtAllIsAway) {
  RedisLinkSettings made = settings();
  made.address.endpoints.clear();
  open(std::move(made));
  until_away();
  EXPECT_EQ(owner_.reasons[0], "hall: it has no address");
  link().set_address(settings().address);
  until_ready();
}

TEST_P(RedisRedialTest, ASocketThatIsNotThereIsTriedAgainWithJitter) {
  RedisLinkSettings made = settings();
  made.address = {{nowhere()}, "/nonexistent/redis.sock"};
  open(made);
  int64_t last = made.redial_min_ns;
  int64_t longest = 0;
  for (int i = 0; i < 40; ++i) {
    until_away();
    EXPECT_TRUE(owner_.reasons.back().contains("no such socket")) << owner_.reasons.back();
    EXPECT_FALSE(owner_.refused);
    link().tick(now_ns_);
    const int64_t wait = link().next_tick_ns() - now_ns_;
    EXPECT_GE(wait, made.redial_min_ns);
    EXPECT_LE(wait, std::min(made.redial_max_ns, last * 3));
    link().tick(link().next_tick_ns() - 1);
    settle();
    EXPECT_EQ(owner_.aways(), static_cast<size_t>(i) + 1);
    last = wait;
    longest = std::max(longest, wait);
    skip();
  }
  EXPECT_GT(longest, 1000 * kMs);
}

TEST_P(RedisRedialTest, AfterItWentWellTheFirstWaitIsAShortOne) {
  RedisLinkSettings made = settings();
  made.address.endpoints = {nowhere()};
  open(std::move(made));
  for (int i = 0; i < 20; ++i) {
    until_away();
    wait_to_redial();
  }
  link().set_address(settings().address);
  until([&] { return owner_.readies == 1; });
  redis_.hang_up();
  until_away();
  link().tick(now_ns_);
  EXPECT_LE(link().next_tick_ns(), now_ns_ + 3 * settings().redial_min_ns);
}

TEST_P(RedisRedialTest, CuttingWhileAwayChangesNothing) {
  open();
  link().cut("nothing to cut");
  until_ready();
  EXPECT_EQ(owner_.aways(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Backends, RedisRedialTest, ::testing::ValuesIn(variants()), name_of);

TEST(RedialJitter, StaysWithinItsBoundsAndSpreads) {
  RedialJitter jitter(10, 1000, 1);
  RedialJitter other(10, 1000, 2);
  int different = 0;
  int64_t last = 10;
  for (int i = 0; i < 1000; ++i) {
    const int64_t wait = jitter.next_ns();
    EXPECT_GE(wait, 10);
    EXPECT_LE(wait, std::min<int64_t>(1000, 3 * last));
    last = wait;
    different += wait != other.next_ns() ? 1 : 0;
  }
  EXPECT_GT(different, 900);
  RedialJitter fixed(5, 5, 1);
  EXPECT_EQ(fixed.next_ns(), 5);
}

}  // namespace
}  // namespace toll::net::testing
