// Redis itself as a target: a redis-server of one's own, with its script loaded, and the requests
// that ask it what a daemon is asked.
//
// Used on one thread, before and between loads. Must outlive its target().
#pragma once

#include <cstdint>
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
  // `asked` is what the daemon is sent: checks alone, whose policy is the limit, or the refusing
  // one where that was asked for; or log records alone, which one connection pushes by the hundred.
  // Errors: a sentence (no redis-server).
  static std::expected<DirectTarget, std::string> start(const TemporaryFolder& folder,
                                                        const std::string& name,
                                                        std::optional<int> cpu, Algorithm algorithm,
                                                        const Limit& limit,
                                                        const ScriptSettings& asked);

  Target target() const;

 private:
  DirectTarget(ServerProcess redis, std::unique_ptr<RequestScript> script, uint32_t clients)
      : redis_(std::move(redis)), script_(std::move(script)), clients_(clients) {}

  ServerProcess redis_;
  std::unique_ptr<RequestScript> script_;  // where targets find it, wherever this moves
  uint32_t clients_;                       // 0: as many as the daemon has
};

}  // namespace toll::bench
