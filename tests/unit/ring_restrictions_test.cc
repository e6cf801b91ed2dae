// A ring is refused what the loop does not use, and the loop's rings are such rings.
#include "net/ring_restrictions.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <gtest/gtest.h>
#include <memory>
#include <set>
#include <string>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "net/loop.h"

#ifndef __SANITIZE_THREAD__
namespace toll::net {
namespace {

std::set<int> open_rings() {
  std::set<int> rings;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const std::string name = entry.path().filename();
    if (std::filesystem::read_symlink(entry.path(), gone) != "anon_inode:[io_uring]") continue;
    int fd = -1;
    std::from_chars(name.data(), name.data() + name.size(), fd);
    rings.insert(fd);
  }
  return rings;
}

// Asking which operations there are changes nothing, and the loop has no use for it.
int ask_what_there_is(int ring) {
  std::array<char, sizeof(io_uring_probe)> room{};
  return syscall(SYS_io_uring_register, ring, IORING_REGISTER_PROBE, room.data(), 0) < 0 ? errno
                                                                                         : 0;
}

// As in loop_fixture.h: the environment may declare that there are no rings here.
bool forbidden_here() {
  return !Loop::make(Backend::kUring) && std::getenv("TOLLKEEPER_TEST_WITHOUT_IO_URING") != nullptr;
}

class RestrictedRing : public ::testing::Test {
 protected:
  void SetUp() override {
    if (forbidden_here()) return;
    io_uring_params params{};
    params.flags =
        IORING_SETUP_R_DISABLED | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    ASSERT_EQ(io_uring_queue_init_params(4, &ring_, &params), 0);
    made_ = true;
    ASSERT_EQ(restrict_and_enable(ring_), 0);
  }
  void TearDown() override {
    if (made_) io_uring_queue_exit(&ring_);
  }

  io_uring_sqe* entry() { return io_uring_get_sqe(&ring_); }

  // How the one entry that was prepared ended.
  int result() {
    EXPECT_EQ(io_uring_submit_and_wait(&ring_, 1), 1);
    io_uring_cqe* cqe = nullptr;
    if (io_uring_peek_cqe(&ring_, &cqe) != 0) return -ETIME;
    const int outcome = cqe->res;
    io_uring_cqe_seen(&ring_, cqe);
    return outcome;
  }

  bool made_ = false;
  io_uring ring_{};
};

TEST_F(RestrictedRing, WhatTheLoopDoesNotUseIsRefused) {
  if (!made_) return;
  io_uring_prep_openat(entry(), AT_FDCWD, "/dev/null", O_RDONLY, 0);
  EXPECT_EQ(result(), -EACCES);
  io_uring_prep_socket(entry(), AF_UNIX, SOCK_STREAM, 0, 0);
  EXPECT_EQ(result(), -EACCES);
  io_uring_prep_unlink(entry(), "/nonexistent", 0);
  EXPECT_EQ(result(), -EACCES);
  io_uring_prep_nop(entry());
  EXPECT_EQ(result(), -EACCES);
}

TEST_F(RestrictedRing, WhatTheLoopUsesIsNot) {
  if (!made_) return;
  const int rung = eventfd(1, EFD_CLOEXEC);
  uint64_t count = 0;
  io_uring_prep_read(entry(), rung, &count, sizeof count, 0);
  EXPECT_EQ(result(), 8);
  close(rung);
}

TEST_F(RestrictedRing, NothingMoreCanBeRegistered) {
  if (!made_) return;
  EXPECT_EQ(ask_what_there_is(ring_.ring_fd), EACCES);
  const int fd = 0;
  EXPECT_EQ(io_uring_register_files(&ring_, &fd, 1), -EACCES);
}

TEST(UringLoopRing, IsRestricted) {
  if (forbidden_here()) return;
  const std::set<int> before = open_rings();
  const auto loop = Loop::make(Backend::kUring);
  ASSERT_TRUE(loop) << loop.error();
  int made = 0;
  for (const int ring : open_rings()) {
    if (before.contains(ring)) continue;
    ++made;
    EXPECT_EQ(ask_what_there_is(ring), EACCES);
  }
  EXPECT_EQ(made, 1);
}

}  // namespace
}  // namespace toll::net
#endif
