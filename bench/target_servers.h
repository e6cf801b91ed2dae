// What a bench can put load on, by name, and the servers that it starts for that.
//
// Used on one thread, before and between loads.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/bench_policy.h"
#include "bench/measurement.h"
#include "bench/request_script.h"
#include "bench/server_process.h"

namespace toll::bench {

enum class TargetKind : uint8_t {
  kDaemon,  // one that runs already, at --socket
  kLocal,   // a tollkeeperd started here, without a Redis
  kLeased,  // one before a Redis of its own, policies leased
  kExact,   // the same, each decision Redis'
  kDirect,  // a redis-server itself
  kFloor,   // the server that does no work
};
std::string_view to_string(TargetKind kind);  // "daemon"
std::vector<std::string> target_names();      // of all kinds, in order
// Whether tollkeeperd is started for it.
bool runs_daemon(TargetKind kind);

// REQUIRES: one of those names.
TargetKind target_kind(std::string_view name);

struct TargetSpec {
  TargetKind kind = TargetKind::kLocal;
  std::string name;       // differs between those that run at the same time
  ScriptSettings script;  // what is asked
  Algorithm algorithm = Algorithm::kGcra;
  Limit limit = ample_limit(Algorithm::kGcra);
  uint32_t workers = 1;      // of a daemon; with more than one it is not pinned
  uint32_t filled_keys = 0;  // ids checked once before the load, to see what they weigh
};

// What is the same for all that one bench starts.
struct ServerSettings {
  std::string daemon_program;
  std::string socket_path;  // of the daemon that runs already
  net::Backend backend = net::Backend::kUring;
  std::optional<int> cpu;  // of a server alone; the Redis behind a daemon may use all
  uint64_t memory_mib = 2048;
};

// What filling a daemon with keys did to it.
struct FilledKeys {
  uint64_t keys = 0;             // held, as STATS tells
  double resident_per_key = 0;   // bytes by which the process has grown
  double accounted_per_key = 0;  // bytes as STATS tells
};

// The servers of one target, which end with it.
class TargetServers {
 public:
  // Files and sockets are in `folder`, which outlives it. Errors: a sentence that begins with the
  // target's name.
  static std::expected<TargetServers, std::string> start(const TemporaryFolder& folder,
                                                         const TargetSpec& spec,
                                                         const ServerSettings& settings);

  // Good as long as this lives, wherever it moves.
  Target target() const;
  const std::optional<FilledKeys>& filled() const { return filled_; }

 private:
  TargetServers() = default;
  std::expected<void, std::string> start_all(const TemporaryFolder& folder, const TargetSpec& spec,
                                             const ServerSettings& settings);
  std::expected<void, std::string> render(const TargetSpec& spec);
  std::expected<void, std::string> fill(const TargetSpec& spec);

  std::optional<ServerProcess> redis_;  // behind the daemon, or the target itself
  std::optional<ServerProcess> server_;
  Target target_;
  std::unique_ptr<RequestScript> script_;
  std::optional<FilledKeys> filled_;
};

}  // namespace toll::bench
