// The load itself: clients that each keep `depth` requests in flight for some seconds, and what
// was measured meanwhile.
//
// Runs on the calling thread, one epoll over non-blocking sockets. Closed loop: a client sends the
// next request as an answer comes. A request's latency runs from the reading of the clock before it
// was handed to the kernel to the one after its reply was read. Nothing is formatted or
// allocated while it runs.
//
// A load may be run several times over the same connections, with pauses between in which nothing
// is in flight: so that loads on several servers can take turns.
//
// Open loop: each request has a time at which it is due, whatever became of those before, and its
// latency runs from then. So a stall is counted by all that would have been asked meanwhile, not by
// the few that were in flight (Gil Tene: "coordinated omission").
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/histogram.h"
#include "bench/process_usage.h"
#include "bench/redis_client.h"
#include "bench/reply_counter.h"
#include "bench/request_script.h"

namespace toll::bench {

struct LoadSettings {
  uint32_t clients = 8;
  uint32_t depth = 64;
  uint64_t seed = 1;  // where in the script each client begins
  double rate = 0;    // requests/s of all clients together in an open loop; 0 is a closed one
};

// What became of the requests of an open loop that were due.
struct OpenLoopResult {
  double seconds = 0;
  uint64_t sent = 0;
  uint64_t late = 0;    // of these: more than kLateNs after they were due
  uint64_t unsent = 0;  // still due at the end. The latencies have them with their wait until then

  double rate() const { return static_cast<double>(sent) / seconds; }
};
OpenLoopResult& operator+=(OpenLoopResult& sum, const OpenLoopResult& more);

// Figures of the counted seconds of one run, except where said otherwise.
struct LoadResult {
  int64_t begin_ns = 0;  // when they began, by the monotonic clock
  double seconds = 0;
  uint64_t replies = 0;
  ReplyCounts counts;
  Histogram latency_ns;
  uint64_t pushed_records = 0;  // as they were sent: those in flight are a few of the next second
  uint32_t record_bytes = 0;    // of each
  double client_cpu_s = 0;
  ProcessUsage server;              // threads empty when the server's process is not to be seen
  std::optional<RedisUsage> redis;  // of the Redis that was named
  std::optional<OpenLoopResult> open_loop;
  std::vector<uint64_t> timeline;  // replies in each part of the counted seconds
  double part_s = 0;
  // Over the whole run, warm-up and last replies included: what was asked and what was answered.
  uint64_t asked_decisions = 0;
  uint64_t asked_others = 0;
  ReplyCounts all_counts;
  std::string first_error;

  double pushed_per_s() const { return static_cast<double>(pushed_records) / seconds; }
  double popped_per_s() const { return static_cast<double>(counts.records) / seconds; }
  double popped_bytes_per_s() const { return static_cast<double>(counts.record_bytes) / seconds; }
  double throughput() const { return static_cast<double>(replies) / seconds; }
};

// Every request was answered, by the kind of reply its verb has, and none by an error. "" if so,
// otherwise what was wrong. `kinds` false compares only the numbers (the floor answers all alike).
std::string fault_of(const LoadResult& result, bool kinds);

// What is told of a run while it goes on: its figures so far.
struct LoadProgress {
  double throughput = 0;
  double p99_us = 0;
};
using LoadWatch = std::function<void(const LoadProgress&)>;

class Load {
 public:
  virtual ~Load() = default;

  // `warmup_s` of load that is not counted, `seconds` of it that are, and the last replies. Tells
  // `watch`, unless that is empty, a few times a second. Errors: a sentence (the connection closed,
  // no reply for 5 s); then the load is of no use any more.
  virtual std::expected<LoadResult, std::string> run(double warmup_s, double seconds,
                                                     const LoadWatch& watch) = 0;
};

// Connects the clients to the server at `socket_path`. `redis_path` is the socket of the Redis
// whose part in it is measured too; "" is none. The script must outlive the load. Errors: a
// sentence (no daemon, too few descriptors). REQUIRES: clients and depth above 0 and within
// limits.h.
std::expected<std::unique_ptr<Load>, std::string> open_load(const std::string& socket_path,
                                                            const std::string& redis_path,
                                                            const RequestScript& script,
                                                            const LoadSettings& settings);

}  // namespace toll::bench
