#include "net/redis_address.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <string>
#include <sys/un.h>

namespace toll::net {
namespace {

TEST(RedisAddress, ResolvesAPathAndNumbers) {
  const auto path = resolve({.host = "", .path = "/run/redis.sock"});
  ASSERT_TRUE(path);
  ASSERT_EQ(path->endpoints.size(), 1u);
  const auto& local = reinterpret_cast<const sockaddr_un&>(path->endpoints[0].address);
  EXPECT_EQ(local.sun_family, AF_UNIX);
  EXPECT_STREQ(local.sun_path, "/run/redis.sock");
  EXPECT_EQ(path->display, "/run/redis.sock");

  const auto four = resolve({.host = "127.0.0.1", .port = 7001, .path = ""});
  ASSERT_TRUE(four) << four.error();
  ASSERT_EQ(four->endpoints.size(), 1u);
  const auto& in = reinterpret_cast<const sockaddr_in&>(four->endpoints[0].address);
  EXPECT_EQ(in.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
  EXPECT_EQ(in.sin_port, htons(7001));
  EXPECT_EQ(four->display, "127.0.0.1:7001");

  const auto six = resolve({.host = "::1", .port = 7002, .path = ""});
  ASSERT_TRUE(six) << six.error();
  EXPECT_EQ(six->endpoints[0].length, sizeof(sockaddr_in6));
}

TEST(RedisAddress, APathThatIsTooLongForASocketIsAFault) {
  const auto result = resolve({.host = "", .path = "/" + std::string(200, 'x')});
  ASSERT_FALSE(result);
  EXPECT_TRUE(result.error().contains("too long")) << result.error();
}

TEST(RedisAddress, ANameThatDoesNotResolveIsNamed) {
  const auto result = resolve({.host = "not-a-host.invalid", .path = ""});
  ASSERT_FALSE(result);
  EXPECT_TRUE(result.error().contains("not-a-host.invalid")) << result.error();
}

}  // namespace
}  // namespace toll::net
