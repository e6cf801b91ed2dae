#include "bench/server_process.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include "bench/affinity.h"

namespace toll::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kStartMax{10'000};
constexpr milliseconds kStopMax{5'000};
constexpr milliseconds kPollPause{2};
constexpr size_t kLogTailMax = 2000;

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string tail_of(const std::string& path) {
  std::string text = text_of(path);
  if (text.size() > kLogTailMax) text.erase(0, text.size() - kLogTailMax);
  return text.empty() ? "(it said nothing)" : text;
}

[[noreturn]] void run_child(const std::string& log_path, std::optional<int> cpu,
                            const std::function<std::string()>& body) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int log = open(log_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
  dup2(input, STDIN_FILENO);
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  std::string failure;
  if (cpu) {
    if (const auto pinned = pin_to(*cpu); !pinned) failure = pinned.error();
  }
  if (failure.empty()) failure = body();
  fmt::print(stderr, "{}\n", failure);
  _exit(1);
}

// The system call itself: glibc 2.36 declares its wrapper without C linkage.
int open_pidfd(pid_t pid) {
  return static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
}

}  // namespace

std::expected<TemporaryFolder, std::string> TemporaryFolder::make() {
  const char* base = std::getenv("TMPDIR");
  std::string path = fmt::format("{}/tollkeeper-bench-XXXXXX", base != nullptr ? base : "/tmp");
  if (mkdtemp(path.data()) == nullptr) {
    return std::unexpected(fmt::format("cannot make {}: {}", path, std::strerror(errno)));
  }
  return TemporaryFolder(std::move(path));
}

TemporaryFolder::TemporaryFolder(TemporaryFolder&& other) noexcept
    : path_(std::exchange(other.path_, {})) {}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

ServerProcess::ServerProcess(pid_t pid, std::string socket_path)
    : pid_(pid), watch_(open_pidfd(pid)), socket_path_(std::move(socket_path)) {}

ServerProcess::ServerProcess(ServerProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      watch_(std::move(other.watch_)),
      socket_path_(std::move(other.socket_path_)) {}

ServerProcess::~ServerProcess() {
  if (pid_ == 0) return;
  kill(pid_, SIGTERM);
  if (ends_within(kStopMax)) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

bool ServerProcess::ends_within(milliseconds time) {
  pollfd ended{watch_.fd(), POLLIN, 0};
  if (pid_ != 0 && poll(&ended, 1, static_cast<int>(time.count())) == 1) {
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  return pid_ == 0;
}

std::expected<ServerProcess, std::string> ServerProcess::start(
    const std::string& socket_path, const std::string& log_path, std::optional<int> cpu,
    const std::function<std::string()>& body) {
  std::fflush(nullptr);  // or the child would write our unwritten output a second time
  const pid_t pid = fork();
  if (pid < 0) return std::unexpected(fmt::format("fork: {}", std::strerror(errno)));
  if (pid == 0) run_child(log_path, cpu, body);
  ServerProcess server(pid, socket_path);
  if (auto listening = server.await_listening(log_path); !listening) {
    return std::unexpected(listening.error());
  }
  return server;
}

std::expected<void, std::string> ServerProcess::await_listening(const std::string& log_path) {
  const auto deadline = steady_clock::now() + kStartMax;
  while (!connect_to(socket_path_)) {
    if (ends_within(kPollPause)) {
      return std::unexpected(fmt::format("the server did not start: {}", tail_of(log_path)));
    }
    if (steady_clock::now() > deadline) {
      return std::unexpected(fmt::format("nothing listens at {} after {} s: {}", socket_path_,
                                         kStartMax.count() / 1000, tail_of(log_path)));
    }
  }
  return {};
}

namespace {

// Where Redis does not answer, requests are refused: an ample limit refuses none, so that every
// refusal in the figures is one that Redis was not asked for.
std::string configuration(const std::string& state_path, const std::string& socket_path,
                          const DaemonSettings& settings) {
  std::string text = fmt::format(
      R"([server]
socket = "{}"
workers = {}
backend = "{}"
memory = "{}MiB"
state_dir = "{}"
[metrics]
listen = ""
[log]
level = "warn"
[defaults]
algorithm = "{}"
mode = "{}"
on_outage = "{}"
[policies.{}]
limits = ["{}"]
[policies.{}]
limits = ["{}"]
[costs]
budget = "{}"
)",
      socket_path, settings.workers, to_string(settings.backend), settings.memory_mib, state_path,
      to_string(settings.algorithm), settings.mode, settings.redis_path.empty() ? "local" : "deny",
      kBenchPolicy, settings.limit.text, kRefusePolicy, refusing_limit().text, kBudgetDollars);
  if (!settings.redis_path.empty()) {
    text += fmt::format("[redis]\nurl = \"unix://{}\"\n", settings.redis_path);
  }
  return text;
}

}  // namespace

std::expected<ServerProcess, std::string> start_daemon(const TemporaryFolder& folder,
                                                       const DaemonSettings& settings) {
  const std::string stem = fmt::format("{}/{}", folder.path(), settings.name);
  const std::string config = stem + ".toml";
  const std::string socket_path = stem + ".sock";
  const std::string state_path = stem + ".state";
  std::error_code error;
  std::filesystem::create_directory(state_path, error);
  if (error) return std::unexpected(fmt::format("cannot make {}: {}", state_path, error.message()));
  std::ofstream(config) << configuration(state_path, socket_path, settings);
  return ServerProcess::start(socket_path, stem + ".log", settings.cpu, [&] {
    execl(settings.program.c_str(), settings.program.c_str(), "--config", config.c_str(), nullptr);
    return fmt::format("cannot run {}: {}", settings.program, std::strerror(errno));
  });
}

std::expected<ServerProcess, std::string> start_redis(const TemporaryFolder& folder,
                                                      const std::string& name,
                                                      std::optional<int> cpu) {
  const std::string stem = fmt::format("{}/{}", folder.path(), name);
  const std::string socket_path = stem + ".sock";
  return ServerProcess::start(socket_path, stem + ".log", cpu, [&] {
    execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", socket_path.c_str(),
           "--save", "", "--appendonly", "no", "--dir", folder.path().c_str(), "--loglevel",
           "warning", nullptr);
    return fmt::format("cannot run redis-server: {}", std::strerror(errno));
  });
}

std::expected<std::string, std::string> output_of(const TemporaryFolder& folder,
                                                  const std::string& program,
                                                  const std::string& argument) {
  const std::string log_path = folder.path() + "/output.log";
  std::fflush(nullptr);
  const pid_t pid = fork();
  if (pid < 0) return std::unexpected(fmt::format("fork: {}", std::strerror(errno)));
  if (pid == 0) {
    run_child(log_path, {}, [&] {
      execl(program.c_str(), program.c_str(), argument.c_str(), nullptr);
      return fmt::format("cannot run {}: {}", program, std::strerror(errno));
    });
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return std::unexpected(fmt::format("{} failed: {}", program, tail_of(log_path)));
  }
  return text_of(log_path);
}

std::expected<ServerProcess, std::string> start_floor(const TemporaryFolder& folder,
                                                      const std::string& name, net::Backend backend,
                                                      Framing framing, std::optional<int> cpu) {
  const std::string stem = fmt::format("{}/{}", folder.path(), name);
  const FloorSettings settings{stem + ".sock", backend, framing};
  return ServerProcess::start(settings.socket_path, stem + ".log", cpu, [&] {
    prctl(PR_SET_NAME, "floor");
    return run_floor(settings);
  });
}

}  // namespace toll::bench
