// What a decision costs inside a shard, without sockets: `shard_bench [keys]`, by default few
// enough to run with the tests. Prints the time of a gcra check in batches of 64 over 10,000 ids
// and over `keys` ids; while growing to `keys`: the bytes per key at the worst moment and the
// longest single call; and a hash of all answers, which tells two builds apart that decide
// differently.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <string>
#include <string_view>
#include <time.h>
#include <vector>

#include "engine/key_hash.h"
#include "engine/policy.h"
#include "engine/shard.h"

namespace {

using toll::engine::KeyHash;
using toll::engine::KeyHasher;
using toll::engine::Operation;
using toll::engine::PolicySpec;
using toll::engine::PolicyTable;
using toll::engine::Shard;
using toll::engine::TimeUs;

constexpr size_t kBatch = 64;
constexpr size_t kBatchesTimed =
    16;  // at once, so that reading the clock costs nothing beside them
constexpr int kGrowths = 3;
constexpr uint64_t kHashBegin = 0xcbf29ce484222325;
constexpr TimeUs kStartUs = 1'700'000'000'000'000;

int64_t read_ns(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// This thread's own time, so that a busy machine does not look like a slow call.
int64_t thread_time_ns() {
  return read_ns(CLOCK_THREAD_CPUTIME_ID);
}

// Read without a system call, which would take longer than what is timed.
int64_t wall_time_ns() {
  return read_ns(CLOCK_MONOTONIC);
}

uint64_t next_random(uint64_t& state) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

// FNV-1a over the figures of an answer.
void fold(uint64_t& hash, const Operation& op) {
  for (const int64_t figure : {static_cast<int64_t>(op.outcome), op.answer.limit,
                               op.answer.remaining, op.answer.retry_us, op.answer.reset_us}) {
    hash = (hash ^ static_cast<uint64_t>(figure)) * 0x100000001b3;
  }
}

class Bench {
 public:
  explicit Bench(size_t keys) {
    const KeyHasher hasher({1, 2});
    for (size_t i = 0; i < keys; ++i) keys_.push_back(hasher(0, "client-" + std::to_string(i)));
  }

  // Several times, and of each call the shortest time counts: growing is the same each time, while
  // what the machine does meanwhile is not.
  void grow() {
    std::vector<uint32_t> shortest_ns(keys_.size(), UINT32_MAX);
    double worst_bytes = 0;
    for (int time = 0; time < kGrowths; ++time) {
      begin_anew();
      for (size_t i = 0; i < keys_.size(); ++i) {
        Operation op;
        op.key = keys_[i];
        const int64_t before_ns = wall_time_ns();
        shard_->decide({&op, 1}, now_);  // the clock stands, so that nothing expires
        const auto spent_ns = std::min<int64_t>(wall_time_ns() - before_ns, UINT32_MAX);
        shortest_ns[i] = std::min(shortest_ns[i], static_cast<uint32_t>(spent_ns));
        fold(hash_, op);
        const auto held = static_cast<double>(i + 1);
        if (i >= 100'000) worst_bytes = std::max(worst_bytes, double(shard_->stats().bytes) / held);
      }
    }
    const double sum_ns = std::accumulate(shortest_ns.begin(), shortest_ns.end(), 0.0);
    std::printf("grow to %zu keys: %.0f ns per key (timing included), longest call %.1f us\n",
                keys_.size(), sum_ns / static_cast<double>(keys_.size()),
                static_cast<double>(*std::ranges::max_element(shortest_ns)) / 1e3);
    std::printf("  %.1f bytes per key at the end, at most %.1f past 100,000 keys; %lu held\n",
                double(shard_->stats().bytes) / double(keys_.size()), worst_bytes,
                static_cast<unsigned long>(shard_->stats().keys));
  }

  // Checks random ones of the first `among` keys; the best of a few rounds.
  void check(size_t among, size_t operations) {
    double best_ns = 1e9;
    uint64_t admitted = 0;
    for (int round = 0; round < 5; ++round) {
      int64_t spent_ns = 0;
      for (size_t done = 0; done < operations; done += kBatchesTimed * kBatch) {
        std::array<Operation, kBatchesTimed * kBatch> asked;
        for (Operation& op : asked) op.key = keys_[next_random(random_) % among];
        const int64_t before_ns = thread_time_ns();
        for (size_t i = 0; i < asked.size(); i += kBatch) {
          shard_->decide({&asked[i], kBatch}, now_ += 20);
        }
        spent_ns += thread_time_ns() - before_ns;
        for (const Operation& op : asked) {
          admitted += op.outcome == toll::engine::Outcome::kAdmitted;
          fold(hash_, op);
        }
      }
      best_ns = std::min(best_ns, static_cast<double>(spent_ns) / static_cast<double>(operations));
    }
    std::printf("check among %zu keys: %.1f ns (%.0f %% admitted)\n", among, best_ns,
                20.0 * static_cast<double>(admitted) / static_cast<double>(operations));
  }

  uint64_t hash() const { return hash_; }

 private:
  void begin_anew() {
    shard_.reset();  // first, so that only one of them takes memory
    shard_ = std::make_unique<Shard>(
        Shard::Settings{.memory_bytes = std::max(keys_.size() * 96, size_t{1} << 24)});
    PolicySpec spec;
    spec.name = "api";
    spec.limits = {toll::engine::make_limit(100, 0, 1'000'000)};
    shard_->adopt(PolicyTable::build({&spec, 1}, nullptr).value());
    hash_ = kHashBegin;
  }

  std::unique_ptr<Shard> shard_;
  std::vector<KeyHash> keys_;
  TimeUs now_ = kStartUs;
  uint64_t random_ = 88172645463325252;
  uint64_t hash_ = kHashBegin;
};

}  // namespace

int main(int argc, char** argv) {
  const size_t keys = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100'000;
  if (keys < 10'000) {
    std::fprintf(stderr, "usage: shard_bench [keys, at least 10000]\n");
    return 2;
  }
  const KeyHasher hasher({1, 2});
  uint64_t mixed = 0;
  const int64_t before_ns = thread_time_ns();
  for (uint16_t i = 0; i < 50'000; ++i) mixed ^= hasher(i, "client-12345").rest;
  std::printf("hash of a 12-byte id: %.1f ns\n", double(thread_time_ns() - before_ns) / 50'000);

  Bench bench(keys);
  bench.grow();
  bench.check(10'000, 1'024'000);
  bench.check(keys, 1'024'000);
  std::printf("answers: %016lx\n", static_cast<unsigned long>(bench.hash() ^ (mixed & 1)));
  return 0;
}
