// The limit that a bench measures: what a daemon that is started gets as its policy, and what is
// asked of Redis directly.
//
// Plain values; any thread.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace toll::bench {

enum class Algorithm : uint8_t { kGcra, kSlidingLog };
std::string_view to_string(Algorithm algorithm);  // as configurations call it

struct Limit {
  int64_t count = 0;
  int64_t window_us = 0;
  std::string text;  // "1000/1m"
};

// "COUNT/WINDOW", the window as 250ms, 1s, 5m, 1h or 7d. Errors: a sentence for the user.
std::expected<Limit, std::string> parse_limit(std::string_view text);

// One that refuses nothing of what a bench can ask, as far as the algorithm can count.
Limit ample_limit(Algorithm algorithm);

// One as gateways have it: with ids drawn uniformly it refuses hardly anything, with Zipf's ids it
// refuses those that are hot.
Limit usual_limit();
// One under which a key that was checked once stays for minutes, and that refuses nothing either.
Limit lasting_limit();
// One that refuses all but the first request of an id.
Limit refusing_limit();

// The policies of a daemon started here: the limit that was asked for, and the refusing one.
inline constexpr const char* kBenchPolicy = "bench";
inline constexpr const char* kRefusePolicy = "bench_refuse";

// The monthly budget of every id: one that nothing uses up.
inline constexpr int64_t kBudgetDollars = 1'000'000;

}  // namespace toll::bench
