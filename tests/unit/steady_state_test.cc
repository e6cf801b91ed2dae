// The promise that nothing on the path of a request allocates, held against whole workers under
// load. An executable of its own: it counts every operator new of the process.

#include <algorithm>
#include <array>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "tests/unit/counting_allocator.h"
#include "tests/unit/crew.h"

namespace toll::daemon {
namespace {

constexpr size_t kDepth = 64;
constexpr int kWarmUpRounds = 50;
constexpr int kRounds = 500;

struct Case {
  uint32_t workers;
  net::Backend backend;
  std::string name;
};

std::vector<Case> cases() {
  std::vector<Case> all = {{1, net::Backend::kEpoll, "OneWorkerEpoll"},
                           {2, net::Backend::kEpoll, "TwoWorkersEpoll"}};
#ifndef __SANITIZE_THREAD__
  all.push_back({1, net::Backend::kUring, "OneWorkerUring"});
  all.push_back({2, net::Backend::kUring, "TwoWorkersUring"});
#endif
  return all;
}

class SteadyState : public testing::TestWithParam<Case> {};

// Requests of each kind that carries load, over as many ids, so that with two workers half of them
// cross.
std::string pipeline() {
  static constexpr std::array<const char*, 5> kVerbs = {"CHECK", "PEEK", "REFUND", "CHARGE",
                                                        "ACQUIRE"};
  std::string text;
  for (size_t i = 0; i < kDepth; ++i) {
    const std::string verb = kVerbs[i % kVerbs.size()];
    const std::string policy = verb == "ACQUIRE" ? "flight" : i % 3 == 0 ? "window" : "rate";
    text += verb + " " + policy + " user:" + std::to_string(i);
    text += verb == "REFUND" || verb == "CHARGE" ? " 1\n" : "\n";
  }
  return text;
}

// Reads until `lines` line ends have come. Allocates nothing.
void read_lines(int fd, size_t lines) {
  std::array<char, 16384> buffer;
  while (lines > 0) {
    const ssize_t got = recv(fd, buffer.data(), buffer.size(), 0);
    ASSERT_GT(got, 0);
    const auto count = static_cast<size_t>(std::count(buffer.data(), buffer.data() + got, '\n'));
    ASSERT_LE(count, lines);
    lines -= count;
  }
}

TEST_P(SteadyState, ARequestAllocatesNothing) {
  Crew crew(GetParam().workers, GetParam().backend,
            table_of({policy("rate", engine::Algorithm::kGcra, 1'000'000, 1'000'000),
                      policy("window", engine::Algorithm::kFixedWindow, 1'000'000, 3'600'000'000),
                      policy("flight", engine::Algorithm::kConcurrency, 20, 3'600'000'000)}));
  const std::string request = pipeline();
  std::vector<int> clients;
  for (uint32_t i = 0; i < 4; ++i) clients.push_back(crew.client(i % GetParam().workers));
  const auto round = [&] {
    for (const int client : clients) send_all(client, request);
    for (const int client : clients) read_lines(client, kDepth);
  };
  for (int i = 0; i < kWarmUpRounds; ++i) round();
  // The pools grow to the most that was ever under way at once, which scheduling may first reach in
  // any round. What allocates per request does so in every stretch of rounds.
  uint64_t allocations = 1;
  for (int stretch = 0; stretch < 20 && allocations > 0; ++stretch) {
    allocations = test::allocations_of([&] {
      for (int i = 0; i < kRounds; ++i) round();
    });
  }
  EXPECT_EQ(allocations, 0u) << "over " << kRounds * kDepth * clients.size() << " requests";
}

INSTANTIATE_TEST_SUITE_P(All, SteadyState, testing::ValuesIn(cases()),
                         [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace toll::daemon
