#include "net/listener.h"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>

#include "tests/unit/loop_fixture.h"

namespace toll::net::testing {
namespace {

namespace fs = std::filesystem;

class ListenerTest : public ::testing::Test {
 protected:
  ListenerTest() {
    std::string name = (fs::temp_directory_path() / "toll-listener-XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
    path_ = directory_ / "socket";
  }
  ~ListenerTest() override { fs::remove_all(directory_); }

  std::expected<Listener, std::string> listen() { return Listener::open({.path = path_}); }

  // 0, or the errno of connecting.
  int knock() const {
    Fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    const sockaddr_un address = address_of(path_);
    return ::connect(*client, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0
               ? 0
               : errno;
  }

  static sockaddr_un address_of(const fs::path& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.string().copy(address.sun_path, sizeof address.sun_path - 1);
    return address;
  }

  // A socket that somebody else bound, the plain way.
  Fd bare_socket(bool listens) const {
    Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_un address = address_of(path_);
    EXPECT_EQ(::bind(*fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    if (listens) {
      EXPECT_EQ(::listen(*fd, 128), 0);
    }
    return fd;
  }

  size_t files() const {
    return static_cast<size_t>(
        std::distance(fs::directory_iterator(directory_), fs::directory_iterator()));
  }

  fs::path directory_;
  fs::path path_;
};

void expect_says(const std::expected<Listener, std::string>& outcome, const std::string& words) {
  ASSERT_FALSE(outcome.has_value());
  EXPECT_NE(outcome.error().find(words), std::string::npos) << outcome.error();
}

TEST_F(ListenerTest, ItListensUntilItGoesAndLeavesNothingBehind) {
  {
    auto listener = listen();
    ASSERT_TRUE(listener) << listener.error();
    EXPECT_EQ(knock(), 0);
    EXPECT_EQ(listener->path(), path_);
  }
  EXPECT_EQ(knock(), ENOENT);
  EXPECT_EQ(files(), 0u);
}

TEST_F(ListenerTest, TheFileHasItsModeAndGroup) {
  ListenerSettings settings{.path = path_, .mode = 0606, .group = ::getegid()};
  auto listener = Listener::open(settings);
  ASSERT_TRUE(listener) << listener.error();
  struct stat file{};
  ASSERT_EQ(::lstat(path_.c_str(), &file), 0);
  EXPECT_TRUE(S_ISSOCK(file.st_mode));
  EXPECT_EQ(file.st_mode & 07777, 0606u);
  EXPECT_EQ(file.st_gid, ::getegid());
  EXPECT_FALSE(fs::exists(path_.string() + "~"));
}

TEST_F(ListenerTest, AStaleSocketIsTakenOver) {
  bare_socket(true).close();
  ASSERT_EQ(knock(), ECONNREFUSED);
  auto listener = listen();
  ASSERT_TRUE(listener) << listener.error();
  EXPECT_EQ(knock(), 0);
}

TEST_F(ListenerTest, ACrashHindersNobody) {
  const pid_t child = ::fork();
  if (child == 0) {
    auto listener = listen();
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  ASSERT_TRUE(fs::exists(path_.string() + ".lock"));
  // A crash at the worst moment leaves the unfinished socket too.
  fs::create_hard_link(path_, path_.string() + "~");
  auto listener = listen();
  ASSERT_TRUE(listener) << listener.error();
  EXPECT_EQ(knock(), 0);
}

TEST_F(ListenerTest, ALivingDaemonIsNamedAndKeepsItsPlace) {
  auto first = listen();
  ASSERT_TRUE(first);
  auto second = listen();
  expect_says(second, "pid " + std::to_string(::getpid()));
  EXPECT_EQ(knock(), 0);
}

TEST_F(ListenerTest, ALivingStrangerIsNamedAndKeepsItsPlace) {
  Fd stranger = bare_socket(true);
  auto listener = listen();
  expect_says(listener, "pid " + std::to_string(::getpid()));
  EXPECT_EQ(knock(), 0);
  EXPECT_EQ(files(), 1u);
}

TEST_F(ListenerTest, OfManyThatStartAtOnceOneListens) {
  bare_socket(true).close();
  for (int round = 0; round < 20; ++round) {
    std::vector<std::optional<Listener>> outcomes(4);
    std::vector<std::thread> daemons;
    for (auto& outcome : outcomes) {
      daemons.emplace_back([&] {
        if (auto listener = listen()) outcome = std::move(*listener);
      });
    }
    for (std::thread& daemon : daemons) daemon.join();
    EXPECT_EQ(std::ranges::count_if(outcomes, [](auto& o) { return o.has_value(); }), 1);
    EXPECT_EQ(knock(), 0);
  }
}

TEST_F(ListenerTest, WhatIsNoSocketIsLeftAlone) {
  std::ofstream(path_) << "precious";
  expect_says(listen(), "is not a socket");
  std::string content;
  std::ifstream(path_) >> content;
  EXPECT_EQ(content, "precious");
  fs::remove(path_);
  fs::create_directory(path_);
  expect_says(listen(), "is not a socket");
}

TEST_F(ListenerTest, BadPathsAreToldWithWhatToDo) {
  expect_says(Listener::open({.path = ""}), "name a file");
  expect_says(Listener::open({.path = directory_.string() + "/"}), "name a file");
  const std::string fits =
      directory_.string() + "/" + std::string(106 - directory_.string().size() - 1, 'x');
  EXPECT_TRUE(Listener::open({.path = fits}));
  expect_says(Listener::open({.path = fits + "x"}), "107 bytes long and at most 106 fit");
  expect_says(Listener::open({.path = directory_ / "missing" / "socket"}),
              (directory_ / "missing").string() + " for the socket does not exist: create it");
  std::ofstream(directory_ / "file") << "x";
  expect_says(Listener::open({.path = directory_ / "file" / "socket"}), "is not a directory");
}

TEST_F(ListenerTest, AGroupThatMayNotBeGivenIsToldAndLeavesNothing) {
  constexpr uid_t kNobody = 65534;
  constexpr gid_t kForeign = 54321;
  const uid_t usual = ::geteuid();
  fs::permissions(directory_, fs::perms::all);
  if (usual == 0) {
    ASSERT_EQ(::seteuid(kNobody), 0);  // root may give every group
  }
  const auto listener = Listener::open({.path = path_, .group = kForeign});
  ASSERT_EQ(::seteuid(usual), 0);
  expect_says(listener, "add user");
  EXPECT_EQ(files(), 0u);
}

TEST_F(ListenerTest, WithdrawnThePathIsFreeForTheNext) {
  auto first = listen();
  ASSERT_TRUE(first);
  first->withdraw();
  EXPECT_EQ(knock(), ENOENT);
  auto second = listen();
  ASSERT_TRUE(second) << second.error();
  first = std::unexpected("gone");
  EXPECT_EQ(knock(), 0) << "the first one took the second one's file away";
}

TEST_F(ListenerTest, AFileThatIsNoLongerOursStays) {
  auto listener = listen();
  ASSERT_TRUE(listener);
  fs::remove(path_);
  Fd other = bare_socket(true);
  listener = std::unexpected("gone");
  EXPECT_EQ(knock(), 0);
}

TEST_F(ListenerTest, MovingHandsEverythingOver) {
  auto opened = listen();
  ASSERT_TRUE(opened);
  Listener moved = std::move(*opened);
  opened = std::unexpected("gone");
  EXPECT_EQ(knock(), 0);
  EXPECT_GE(moved.fd(), 0);
}

// A loop that goes lets the name go with it, so that a restart in place works.
TEST_F(ListenerTest, AnAdoptedSocketIsUsedAndLeftToItsOwner) {
  const Fd owner = bare_socket(true);
  ASSERT_EQ(::chmod(path_.c_str(), 0640), 0);
  {
    auto listener = Listener::adopt(::fcntl(*owner, F_DUPFD_CLOEXEC, 0));
    ASSERT_TRUE(listener) << listener.error();
    EXPECT_TRUE(listener->adopted());
    EXPECT_EQ(listener->path(), path_);
    EXPECT_EQ(::fcntl(listener->fd(), F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    Listener moved = std::move(*listener);
    EXPECT_TRUE(moved.adopted());
    moved.withdraw();
    EXPECT_EQ(knock(), 0);
  }
  EXPECT_EQ(knock(), 0);
  EXPECT_EQ(files(), 1u);
  struct stat file{};
  ASSERT_EQ(::stat(path_.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 07777, 0640u);
}

TEST_F(ListenerTest, OnlyAListeningUnixStreamSocketIsAdopted) {
  expect_says(Listener::adopt(bare_socket(false).release()), "Accept=no");
  expect_says(Listener::adopt(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), "ListenStream=");
  expect_says(Listener::adopt(::open("/dev/null", O_RDONLY | O_CLOEXEC)), "ListenStream=");
  const int next = ::dup(0);
  ::close(next);
  expect_says(Listener::adopt(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)), "ListenStream=");
  EXPECT_EQ(::fcntl(next, F_GETFD), -1) << "what is refused is closed";
}

class RestartTest : public ListenerTest, public ::testing::WithParamInterface<Variant> {};

TEST_P(RestartTest, AListenerThatALoopAcceptedFromCanBeOpenedAgainAtOnce) {
  for (int round = 0; round < 10; ++round) {
    auto listener = listen();
    ASSERT_TRUE(listener) << listener.error();
    Witness accepting;
    auto loop = Loop::make(GetParam().backend);
    ASSERT_TRUE(loop) << loop.error();
    (*loop)->accept(listener->fd(), accepting);
    (*loop)->run_once(0);
    EXPECT_EQ(knock(), 0);
    if (round % 2) fs::rename(path_, path_.string() + ".crashed");  // keep the file as a crash does
    loop->reset();
    listener = std::unexpected("gone");
    if (round % 2) fs::rename(path_.string() + ".crashed", path_);
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, RestartTest, ::testing::ValuesIn(variants()), name_of);

}  // namespace
}  // namespace toll::net::testing
