// The manager's side of systemd/notify.h: a datagram socket that reads what the daemon says.
#include "systemd/notify.h"

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

namespace toll::systemd {
namespace {

long long monotonic_us() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<long long>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1'000;
}

class Notify : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "notify-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    const std::string path = directory_ / "socket";
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    ASSERT_LT(path.size(), sizeof address.sun_path);
    std::memcpy(address.sun_path, path.data(), path.size());
    manager_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ASSERT_GE(manager_, 0);
    ASSERT_EQ(bind(manager_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    setenv("NOTIFY_SOCKET", path.c_str(), 1);
  }

  void TearDown() override {
    unsetenv("NOTIFY_SOCKET");
    close(manager_);
    std::filesystem::remove_all(directory_);
  }

  // The next message, which the sender has already sent when its call has returned; "" if there is
  // none.
  std::string heard() {
    char bytes[4096];
    const ssize_t size = recv(manager_, bytes, sizeof bytes, 0);
    return size < 0 ? "" : std::string(bytes, static_cast<size_t>(size));
  }

  std::filesystem::path directory_;
  int manager_ = -1;
};

TEST_F(Notify, ReadyIsHeardAtOnce) {
  ready();
  EXPECT_EQ(heard(), "READY=1");
}

TEST_F(Notify, ReadyMayCarryAStatus) {
  ready("listening on /run/tollkeeper/tollkeeper.sock");
  EXPECT_EQ(heard(), "READY=1\nSTATUS=listening on /run/tollkeeper/tollkeeper.sock");
}

TEST_F(Notify, AReloadSaysWhenItBeganSoThatTheManagerNeedNotTimeOut) {
  const long long before_us = monotonic_us();
  reloading();
  const long long after_us = monotonic_us();
  const std::string message = heard();
  long long at_us = 0;
  ASSERT_EQ(std::sscanf(message.c_str(), "RELOADING=1\nMONOTONIC_USEC=%lld", &at_us), 1) << message;
  EXPECT_LE(before_us, at_us);
  EXPECT_LE(at_us, after_us);
}

TEST_F(Notify, StoppingIsHeard) {
  stopping();
  EXPECT_EQ(heard(), "STOPPING=1");
}

TEST_F(Notify, AStartThatTakesLongerSaysForHowLongAndWhy) {
  extend_start(30'000'000, "reading the journal\nREADY=1");
  EXPECT_EQ(heard(), "EXTEND_TIMEOUT_USEC=30000000\nSTATUS=reading the journal");
}

TEST_F(Notify, TheWatchdogIsFedByWhoHasOne) {
  EXPECT_TRUE(has_manager());
  EXPECT_EQ(watchdog_us(), 0);
  setenv("WATCHDOG_USEC", "10000000", 1);
  EXPECT_EQ(watchdog_us(), 10'000'000);
  setenv("WATCHDOG_PID", "1", 1);
  EXPECT_EQ(watchdog_us(), 0) << "another process' watchdog";
  setenv("WATCHDOG_PID", std::to_string(getpid()).c_str(), 1);
  EXPECT_EQ(watchdog_us(), 10'000'000);
  unsetenv("WATCHDOG_PID");
  unsetenv("WATCHDOG_USEC");
  feed_watchdog();
  EXPECT_EQ(heard(), "WATCHDOG=1");
}

TEST_F(Notify, AStatusCannotSmuggleInAnotherMessage) {
  status("two lines\nREADY=1");
  EXPECT_EQ(heard(), "STATUS=two lines");
}

TEST_F(Notify, AStatusIsBounded) {
  status(std::string(100'000, 'x'));
  EXPECT_EQ(heard(), "STATUS=" + std::string(kStatusBytesMax, 'x'));
}

TEST_F(Notify, AStatusIsNotReadPastItsEnd) {
  const std::string text = "ready, and more";
  status(std::string_view(text).substr(0, 5));
  EXPECT_EQ(heard(), "STATUS=ready");
}

TEST_F(Notify, NobodyListeningIsNoError) {
  unsetenv("NOTIFY_SOCKET");
  EXPECT_FALSE(has_manager());
  ready("unheard");
  feed_watchdog();
  reloading();
  stopping();
  EXPECT_EQ(heard(), "");
}

}  // namespace
}  // namespace toll::systemd
