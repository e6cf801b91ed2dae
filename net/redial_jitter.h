// How long to wait before the next attempt: decorrelated jitter, so that a fleet that lost its
// server does not come back as one.
//
// Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015: each wait is
// random between the least and three times the last one, and at most the greatest. One thread.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <random>

namespace toll::net {

class RedialJitter {
 public:
  // REQUIRES: 0 < min_ns <= max_ns.
  RedialJitter(int64_t min_ns, int64_t max_ns, uint64_t seed)
      : min_ns_(min_ns), max_ns_(max_ns), last_ns_(min_ns), random_(seed) {
    assert(0 < min_ns && min_ns <= max_ns);
  }

  int64_t next_ns() {
    const int64_t most = last_ns_ > max_ns_ / 3 ? max_ns_ : last_ns_ * 3;
    last_ns_ = std::uniform_int_distribution<int64_t>(min_ns_, std::max(min_ns_, most))(random_);
    return last_ns_;
  }

  // It went well: the next wait is a short one.
  void reset() { last_ns_ = min_ns_; }

 private:
  int64_t min_ns_;
  int64_t max_ns_;
  int64_t last_ns_;
  std::mt19937_64 random_;
};

}  // namespace toll::net
