// A real redis-server on a Unix socket in a directory of its own, for tests; both are gone at the
// end, however the test ends.
#pragma once

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <gtest/gtest.h>
#include <string>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace toll::net::testing {

class RedisServer {
 public:
  explicit RedisServer(std::vector<std::string> options = {}) : options_(std::move(options)) {
    std::string name = std::filesystem::temp_directory_path() / "redis_XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  ~RedisServer() {
    kill();
    std::filesystem::remove_all(directory_);
  }
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  std::string path() const { return directory_ / "redis.sock"; }

  // Begins; the socket comes when it is ready for it.
  void start() {
    std::vector<std::string> words{"redis-server", "--port",      "0",         "--unixsocket",
                                   path(),         "--save",      "",          "--dir",
                                   directory_,     "--logfile",   "redis.log", "--appendonly",
                                   "no",           "--daemonize", "no"};
    words.insert(words.end(), options_.begin(), options_.end());
    std::vector<char*> arguments;
    arguments.reserve(words.size() + 1);
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::execvp(arguments[0], arguments.data());
      ::_exit(127);
    }
    ASSERT_GT(pid_, 0);
  }

  void signal(int number) const { ASSERT_EQ(::kill(pid_, number), 0); }

  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(std::exchange(pid_, -1), nullptr, 0);
  }

  // Whether it ended by itself, as it does where there is no such program.
  bool ended() {
    if (pid_ > 0 && ::waitpid(pid_, nullptr, WNOHANG) == pid_) pid_ = -1;
    return pid_ < 0;
  }

 private:
  std::vector<std::string> options_;
  std::filesystem::path directory_;
  pid_t pid_ = -1;
};

}  // namespace toll::net::testing
