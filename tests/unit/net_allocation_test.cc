// In steady state neither a loop nor a stream allocates.
#include "net/stream.h"
#include "tests/unit/counting_allocator.h"
#include "tests/unit/loop_fixture.h"

namespace toll::net::testing {
namespace {

class NetAllocation : public LoopTest {};

struct Counting final : Completion {
  void complete(const Event& event) override { bytes += event.data.size(); }
  size_t bytes = 0;
};

// Sends back what comes, and counts it.
struct Echo final : StreamHandler {
  Echo(Loop& loop, int fd, ChunkPool& pool) : stream(loop, fd, pool, *this) { stream.start(); }
  void on_data(std::span<char> data) override {
    stream.output().append({data.data(), data.size()});
    stream.flush();
    bytes += data.size();
  }
  void on_end(IoStatus) override {}
  void on_drained() override {}
  void on_closed() override {}

  Stream stream;
  size_t bytes = 0;
};

TEST_P(NetAllocation, SteadyTrafficAllocatesNothing) {
  Pair pair = make_pair();
  Counting in;
  Counting out;
  loop().receive(*pair.near, in);
  const std::string text(100, 'x');
  const auto exchange = [&] {
    for (int i = 0; i < 1000; ++i) {
      const size_t before = in.bytes;
      loop().send(*pair.far, text, out);
      while (in.bytes < before + text.size() || out.in_flight()) loop().run_once(-1);
    }
  };
  exchange();
  EXPECT_EQ(test::allocations_of(exchange), 0u);
  stop(in);
}

TEST_P(NetAllocation, AnEchoAllocatesNothing) {
  Pair pair = make_pair();
  ChunkPool pool;
  Echo echo(loop(), pair.near.release(), pool);
  const std::string text(100, 'x');
  std::array<char, 4096> heard{};
  const auto exchange = [&] {
    for (int i = 0; i < 1000; ++i) {
      const size_t before = echo.bytes;
      say(pair.far, text);
      while (echo.bytes < before + text.size() || echo.stream.unsent_bytes() > 0) {
        loop().run_once(-1);
      }
      while (::recv(*pair.far, heard.data(), heard.size(), MSG_DONTWAIT) > 0) continue;
    }
  };
  exchange();
  EXPECT_EQ(test::allocations_of(exchange), 0u);
  echo.stream.abort();
  run_until([&] { return echo.stream.closed(); });
}

INSTANTIATE_TEST_SUITE_P(Backends, NetAllocation, ::testing::ValuesIn(variants()), name_of);

}  // namespace
}  // namespace toll::net::testing
