#include <cstdlib>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "net/self_test.h"

namespace toll::net {
namespace {

TEST(ChooseBackend, WhatIsWantedIsTakenAtItsWord) {
  EXPECT_EQ(choose_backend("epoll")->backend, Backend::kEpoll);
  EXPECT_FALSE(choose_backend("kqueue").has_value());
  EXPECT_NE(choose_backend("kqueue").error().find("auto, io_uring or epoll"), std::string::npos);
}

#ifndef __SANITIZE_THREAD__
TEST(ChooseBackend, AutoTakesIoUringExactlyWhereItsTrialPasses) {
  const auto trial = self_test_uring();
  const auto chosen = choose_backend("auto");
  ASSERT_TRUE(chosen.has_value());
  EXPECT_EQ(chosen->backend, trial ? Backend::kUring : Backend::kEpoll) << chosen->reason;
  EXPECT_EQ(choose_backend("io_uring").has_value(), trial.has_value());
  EXPECT_EQ(chosen->reason.find('\n'), std::string::npos);
  if (std::getenv("TOLLKEEPER_TEST_WITHOUT_IO_URING") == nullptr) {
    EXPECT_TRUE(trial) << trial.error();
  }
}

TEST(ChooseBackend, WhereNoRingCanBeMadeEpollIsUsedAndTheReasonGiven) {
  rlimit usual{};
  ::getrlimit(RLIMIT_NOFILE, &usual);
  const int next = ::dup(0);
  ::close(next);
  // Room for the trial's listener and the doorbell, and not for a ring.
  const rlimit tight{.rlim_cur = static_cast<rlim_t>(next) + 2, .rlim_max = usual.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &tight);
  const auto chosen = choose_backend("auto");
  const auto demanded = choose_backend("io_uring");
  ::setrlimit(RLIMIT_NOFILE, &usual);
  ASSERT_TRUE(chosen.has_value());
  EXPECT_EQ(chosen->backend, Backend::kEpoll);
  EXPECT_NE(chosen->reason.find("using epoll"), std::string::npos) << chosen->reason;
  EXPECT_FALSE(demanded.has_value());
}
#endif

}  // namespace
}  // namespace toll::net
