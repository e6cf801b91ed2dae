// The servers that a bench starts for itself, each a child process: daemons, Redis and the floor.
//
// Used on one thread, before and between loads. A server lives as long as its ServerProcess, and no
// longer than the bench, even if that is killed.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

#include "bench/bench_policy.h"
#include "bench/floor_server.h"
#include "bench/socket.h"

namespace toll::bench {

// A fresh folder under $TMPDIR, removed with all that is in it.
class TemporaryFolder {
 public:
  static std::expected<TemporaryFolder, std::string> make();
  TemporaryFolder(TemporaryFolder&& other) noexcept;
  TemporaryFolder& operator=(TemporaryFolder&&) = delete;
  ~TemporaryFolder();

  const std::string& path() const { return path_; }

 private:
  explicit TemporaryFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

class ServerProcess {
 public:
  ServerProcess(ServerProcess&& other) noexcept;
  ServerProcess& operator=(ServerProcess&&) = delete;
  ~ServerProcess();  // SIGTERM, and SIGKILL if it has not ended within 5 s

  const std::string& socket_path() const { return socket_path_; }
  pid_t pid() const { return pid_; }

  // Waits that long, or until the process ends, and says whether it has.
  bool ends_within(std::chrono::milliseconds time);

  // Forks; in the child: pins, sends its output to `log_path` and runs `body`, which does not
  // return unless it fails, and then with what to write there. Returns once something listens at
  // `socket_path`. Errors: a sentence with the end of the log.
  static std::expected<ServerProcess, std::string> start(const std::string& socket_path,
                                                         const std::string& log_path,
                                                         std::optional<int> cpu,
                                                         const std::function<std::string()>& body);

 private:
  ServerProcess(pid_t pid, std::string socket_path);
  std::expected<void, std::string> await_listening(const std::string& log_path);

  pid_t pid_;     // 0 once it has ended and was reaped
  Socket watch_;  // a pidfd: readable when the process has ended
  std::string socket_path_;
};

struct DaemonSettings {
  std::string program;
  std::string name;  // of its files in the folder; differs between daemons
  uint32_t workers = 1;
  net::Backend backend = net::Backend::kUring;
  std::optional<int> cpu = {};
  uint64_t memory_mib = 2048;
  std::string_view mode = "exact";  // of both policies, as is the next
  Algorithm algorithm = Algorithm::kGcra;
  Limit limit = ample_limit(Algorithm::kGcra);
  std::string redis_path = {};  // the socket of the Redis that it asks; "": it decides alone
};

// A tollkeeperd of one's own, with a configuration written into `folder`.
std::expected<ServerProcess, std::string> start_daemon(const TemporaryFolder& folder,
                                                       const DaemonSettings& settings);

// A redis-server of one's own, found by PATH, that writes nothing to disk. `name` is that of its
// files in the folder.
std::expected<ServerProcess, std::string> start_redis(const TemporaryFolder& folder,
                                                      const std::string& name,
                                                      std::optional<int> cpu);

// What a program that ends by itself writes when it is given `argument`. Errors: a sentence, also
// when it fails.
std::expected<std::string, std::string> output_of(const TemporaryFolder& folder,
                                                  const std::string& program,
                                                  const std::string& argument);

// The floor, on the same back-end.
std::expected<ServerProcess, std::string> start_floor(const TemporaryFolder& folder,
                                                      const std::string& name, net::Backend backend,
                                                      Framing framing, std::optional<int> cpu);

}  // namespace toll::bench
