// Redis itself as a target: a redis-server of one's own, with its script loaded, and the requests
// that ask it what a daemon is asked.
//
// Used on one thread, before and between loads. Must outlive its target().
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>

#include "bench/bench_policy.h"
#include "bench/measurement.h"
#include "bench/request_script.h"
#include "bench/server_process.h"

namespace toll::bench {

class DirectTarget {
 public:
  // `checks` is what the daemon is sent: checks alone. Its policy is the limit, or the refusing one
  // where that was asked for. Errors: a sentence (no redis-server).
  static std::expected<DirectTarget, std::string> start(const TemporaryFolder& folder,
                                                        const std::string& name,
                                                        std::optional<int> cpu, Algorithm algorithm,
                                                        const Limit& limit,
                                                        const ScriptSettings& checks);

  Target target() const;

 private:
  DirectTarget(ServerProcess redis, std::unique_ptr<RequestScript> script)
      : redis_(std::move(redis)), script_(std::move(script)) {}

  ServerProcess redis_;
  std::unique_ptr<RequestScript> script_;  // where targets find it, wherever this moves
};

}  // namespace toll::bench
