#include "net/clock.h"

#include <gtest/gtest.h>

#include "tests/unit/times.h"

namespace toll::net {
namespace {

// A clock that has been held against (monotonic, realtime) once and starts without an offset error.
struct Held {
  KernelMachine machine{Backend::kEpoll};
  Clock clock{machine};
  int64_t monotonic = 0;
  int64_t realtime = 0;

  Held() {
    monotonic = monotonic_ns() / 1'000;
    realtime = monotonic + clock.offset_us();
  }
  int64_t tell() const { return monotonic + clock.offset_us(); }
  void pass(int64_t us) {
    monotonic += us;
    realtime += us;
    clock.adjust(monotonic, realtime);
  }
};

TEST(Clock, TakesAStepForwardAtOnce) {
  Held held;
  held.realtime += 3600 * kSecond;
  held.pass(kSecond);
  EXPECT_EQ(held.tell(), held.realtime);
}

TEST(Clock, WorksAStepBackOffAndNeverRunsBackwardsOverASecond) {
  Held held;
  held.pass(kSecond);
  held.realtime -= 2 * kSecond;
  int64_t before = held.tell();
  int seconds = 0;
  while (held.tell() != held.realtime) {
    held.pass(kSecond);
    ASSERT_GE(held.tell(), before + kSecond * 9 / 10 - 1);
    ASSERT_GE(held.tell(), held.realtime);
    before = held.tell();
    ASSERT_LT(++seconds, 25);
  }
  EXPECT_GE(seconds, 19);
}

TEST(Clock, StandsStillWithTheSystem) {
  Held held;
  const int64_t offset = held.clock.offset_us();
  for (int i = 0; i < 10; ++i) held.pass(kSecond);
  EXPECT_EQ(held.clock.offset_us(), offset);
}

}  // namespace
}  // namespace toll::net
