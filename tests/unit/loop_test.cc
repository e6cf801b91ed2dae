// The suite that every back-end passes.

#include <algorithm>
#include <atomic>
#include <deque>
#include <semaphore>
#include <set>
#include <sys/resource.h>
#include <thread>

#include "net/limits.h"
#include "tests/unit/loop_fixture.h"

namespace toll::net::testing {
namespace {

// Room for the descriptors of many connections, whatever the shell allows.
void raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

TEST_P(LoopTest, NothingCompletesInsideTheCallThatStartsIt) {
  Pair pair = make_pair();
  say(pair.far, "ready");
  Hall hall;
  Fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
  Witness receiving, sending, connecting, accepting;
  loop().receive(*pair.near, receiving);
  loop().send(*pair.near, std::string_view("x"), sending);
  loop().connect(*client, hall.raw(), hall.length, connecting);
  loop().accept(*hall.fd, accepting);
  EXPECT_EQ(receiving.events + sending.events + connecting.events + accepting.events, 0);
  EXPECT_TRUE(receiving.in_flight() && sending.in_flight() && connecting.in_flight());
  run_until(
      [&] { return receiving.events && sending.done() && connecting.done() && accepting.events; });
  EXPECT_EQ(sending.last.value, 1);
  EXPECT_EQ(connecting.last.status, IoStatus::kOk);
  EXPECT_EQ(receiving.text, "ready");
  ::close(accepting.last.value);
  loop().stop(accepting);
  EXPECT_EQ(accepting.events, 1);
  stop(accepting);
  stop(receiving);
}

TEST_P(LoopTest, HandlersDoNotNest) {
  std::deque<Pair> pairs;
  std::deque<Witness> receiving;
  std::deque<Witness> sending;
  int depth = 0;
  for (size_t i = 0; i < 20; ++i) {
    pairs.push_back(make_pair());
    Witness& out = sending.emplace_back();
    Witness& in = receiving.emplace_back();
    out.then = [&](const Event&) { EXPECT_EQ(depth, 0); };
    in.then = [&, i](const Event& event) {
      EXPECT_EQ(depth++, 0);
      if (!event.data.empty() && !out.in_flight() && out.events == 0) {
        loop().send(*pairs[i].near, std::string_view("pong"), out);
        loop().stop(in);
      }
      --depth;
    };
    say(pairs[i].far, "ping");
    loop().receive(*pairs[i].near, in);
  }
  run_until([&] {
    return std::ranges::all_of(receiving, &Witness::done) &&
           std::ranges::all_of(sending, &Witness::done);
  });
  for (const Pair& pair : pairs) EXPECT_EQ(hear(pair.far), "pong");
}

TEST_P(LoopTest, AStormOfConnectsIsAcceptedWhole) {
  raise_descriptor_limit();
  constexpr size_t kClients = 500;
  Hall hall;
  std::vector<Fd> clients;
  std::vector<Fd> accepted;
  Witness accepting;
  accepting.then = [&](const Event& event) {
    if (event.status == IoStatus::kOk) accepted.emplace_back(event.value);
  };
  loop().accept(*hall.fd, accepting);
  loop().run_once(0);
  for (size_t i = 0; i < kClients; ++i) clients.push_back(hall.visitor());
  run_until([&] { return accepted.size() == kClients; });
  stop(accepting);
  EXPECT_EQ(accepting.last.status, IoStatus::kCancelled);
  for (size_t i = 0; i < kClients; ++i) {
    ASSERT_EQ(::fcntl(*accepted[i], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    ASSERT_EQ(::fcntl(*accepted[i], F_GETFD), FD_CLOEXEC);
    say(accepted[i], std::to_string(i));
  }
  std::set<std::string> heard;
  for (const Fd& client : clients) heard.insert(hear(client));
  EXPECT_EQ(heard.size(), kClients);
  if (tiny() && GetParam().backend == Backend::kUring) {
    EXPECT_GT(loop().stats().overflows, 0u);
  }
}

TEST_P(LoopTest, LargeTransfersArriveWholeInBothDirections) {
  constexpr uint64_t kSeed = 20240611;
  SCOPED_TRACE(kSeed);
  const size_t bytes = tiny() ? 200'000 : 4'000'000;
  Pair pair = make_pair(4608);
  const std::string there = random_text(bytes, kSeed);
  const std::string back = random_text(bytes, kSeed + 1);
  Witness near, far;
  loop().receive(*pair.near, near);
  loop().receive(*pair.far, far);
  Speaker forth(loop(), *pair.near, there);
  Speaker backward(loop(), *pair.far, back);
  run_until([&] { return near.text.size() == bytes && far.text.size() == bytes; });
  EXPECT_TRUE(far.text == there);
  EXPECT_TRUE(near.text == back);
  run_until([&] { return forth.done() && backward.done(); });
  EXPECT_GT(forth.short_sends, 0);
  stop(near);
  stop(far);
}

// As many as there are buffers, so that the last of them has its turn, whose slack is the last of
// the memory. What the slack holds is nobody's business; that it is there, is.
TEST_P(LoopTest, BehindWhatIsReceivedMayBeRead) {
  const LoopSettings all = settings();
  Pair pair = make_pair();
  const std::string text = random_text(all.receive_buffer_bytes, 11);
  Witness near;
  size_t full = 0;
  std::string behind;
  near.then = [&](const Event& event) {
    full += event.data.size() == all.receive_buffer_bytes ? 1 : 0;
    behind.append(event.data.data() + event.data.size(), kReadSlackBytes);
  };
  loop().receive(*pair.near, near);
  for (size_t round = 1; round <= 2 * all.receive_buffers; ++round) {
    say(pair.far, text);
    run_until([&] { return near.text.size() == round * text.size(); });
  }
  EXPECT_EQ(full, 2 * all.receive_buffers);
  EXPECT_EQ(behind.size(), full * kReadSlackBytes);
  stop(near);
}

TEST_P(LoopTest, ManyStreamsAndFewBuffersStarveNobody) {
  constexpr size_t kStreams = 64;
  const std::string text = random_text(1000, 7);
  std::vector<Pair> pairs;
  std::deque<Witness> receiving(kStreams);
  for (size_t i = 0; i < kStreams; ++i) {
    pairs.push_back(make_pair());
    loop().receive(*pairs[i].near, receiving[i]);
  }
  loop().run_once(0);
  for (const Pair& pair : pairs) say(pair.far, text);
  run_until([&] {
    return std::ranges::all_of(receiving, [&](auto& r) { return r.text.size() == text.size(); });
  });
  for (const Witness& r : receiving) EXPECT_TRUE(r.text == text);
  if (tiny() && GetParam().backend == Backend::kUring) {
    EXPECT_GT(loop().stats().starved, 0u);
  }
  for (Witness& r : receiving) stop(r);
}

// One stream always has more. The others must get their share of the few buffers.
TEST_P(LoopTest, AFloodingStreamDoesNotTakeAllTheBuffers) {
  constexpr size_t kStreams = 8;
  const std::string flood(60'000, 'f');
  std::vector<Pair> pairs;
  std::deque<Witness> receiving(kStreams);
  for (size_t i = 0; i < kStreams; ++i) {
    pairs.push_back(make_pair());
    loop().receive(*pairs[i].near, receiving[i]);
    say(pairs[i].far, i == 0 ? flood : "modest");
  }
  receiving[0].then = [&](const Event& event) {
    say(pairs[0].far, std::string(event.data.size(), 'f'));
  };
  int turns = 0;
  run_until([&] {
    ++turns;
    return std::ranges::all_of(receiving, [](auto& r) { return r.text.size() >= 6; });
  });
  EXPECT_LT(turns, 100);
  receiving[0].then = nullptr;
  for (Witness& r : receiving) stop(r);
}

TEST_P(LoopTest, TheEndIsNotLostWhenItFollowsTheDataAtOnce) {
  constexpr size_t kAtOnce = 20;
  constexpr int kRounds = 100;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<Pair> pairs;
    std::deque<Witness> receiving(kAtOnce);
    for (size_t i = 0; i < kAtOnce; ++i) pairs.push_back(make_pair());
    for (size_t i = 0; i < kAtOnce; ++i) loop().receive(*pairs[i].near, receiving[i]);
    std::thread peers([&] {
      for (const Pair& pair : pairs) {
        say(pair.far, "the last words");
        ::shutdown(*pair.far, SHUT_WR);
      }
    });
    run_until([&] { return std::ranges::all_of(receiving, &Witness::done); });
    peers.join();
    for (const Witness& r : receiving) {
      ASSERT_EQ(r.text, "the last words");
      ASSERT_EQ(r.last.status, IoStatus::kEnd);
    }
  }
}

// The case of a client that connects, asks, and leaves before it is looked at. Kernels from 6.17 on
// keep such an end to themselves.
TEST_P(LoopTest, TheEndIsNotLostWhenItCameBeforeTheReceive) {
  for (const bool leaves : {false, true}) {
    for (const size_t bytes : {0u, 1u, 16u, 17u, 64u, 4096u, 100'000u}) {
      Pair pair = make_pair();
      const std::string text = random_text(bytes, bytes);
      if (bytes > 0) say(pair.far, text);
      ::shutdown(*pair.far, SHUT_WR);
      if (leaves) pair.far.close();
      Witness receiving;
      loop().receive(*pair.near, receiving);
      run_until([&] { return receiving.done(); });
      EXPECT_TRUE(receiving.text == text) << bytes;
      EXPECT_EQ(receiving.last.status, IoStatus::kEnd);
    }
  }
}

TEST_P(LoopTest, AnErrorThatCameBeforeTheReceiveIsTold) {
  Pair pair = make_pair();
  say(pair.near, "never read");
  say(pair.far, "words");
  pair.far.close();  // with unread data: a reset
  Witness receiving;
  loop().receive(*pair.near, receiving);
  run_until([&] { return receiving.done(); });
  EXPECT_EQ(receiving.text, "words");
  EXPECT_EQ(receiving.last.status, IoStatus::kPeerGone);
}

TEST_P(LoopTest, StoppingAndGoingOnLosesNothing) {
  constexpr size_t kBytes = 100'000;
  const std::string text = random_text(kBytes, 99);
  Pair pair = make_pair(queue_bytes());
  Witness receiving;
  int stops = 0;
  receiving.then = [&](const Event& event) {
    if (event.more) {
      loop().stop(receiving);
      loop().stop(receiving);  // again: harmless
    } else if (event.status == IoStatus::kCancelled) {
      ++stops;
      loop().receive(*pair.near, receiving);
    }
  };
  loop().receive(*pair.near, receiving);
  Speaker peer(loop(), *pair.far, text);
  run_until([&] { return peer.done() && receiving.text.size() == kBytes; });
  ::shutdown(*pair.far, SHUT_WR);
  run_until([&] { return receiving.done(); });
  EXPECT_EQ(receiving.last.status, IoStatus::kEnd);
  EXPECT_TRUE(receiving.text == text);
  EXPECT_GT(stops, 0);
}

TEST_P(LoopTest, StoppingWhatIsNotInFlightIsHarmless) {
  Pair pair = make_pair();
  Witness receiving;
  loop().stop(receiving);
  loop().receive(*pair.near, receiving);
  stop(receiving);
  EXPECT_EQ(receiving.events, 1);
  EXPECT_EQ(receiving.last.status, IoStatus::kCancelled);
  loop().stop(receiving);
  settle();
  EXPECT_EQ(receiving.events, 1);
}

TEST_P(LoopTest, APeerThatDiesWithDataInFlightEndsBothDirections) {
  Pair pair = make_pair(4608);
  const std::string text(100'000, 'x');
  Witness receiving;
  loop().receive(*pair.near, receiving);
  Speaker sending(loop(), *pair.near, text);
  settle();
  ASSERT_TRUE(sending.in_flight());
  say(pair.far, "farewell");
  pair.far.close();
  run_until([&] { return sending.done() && receiving.done(); });
  EXPECT_EQ(sending.status, IoStatus::kPeerGone);
  EXPECT_EQ(receiving.text, "farewell");
  EXPECT_TRUE(receiving.last.status == IoStatus::kPeerGone ||
              receiving.last.status == IoStatus::kEnd);
}

TEST_P(LoopTest, ASendThatWaitsForRoomEndsWithShutdown) {
  Pair pair = make_pair(4608);
  const std::string text(100'000, 'x');
  Speaker sending(loop(), *pair.near, text);
  settle();
  ASSERT_TRUE(sending.in_flight());
  ::shutdown(*pair.near, SHUT_RDWR);
  run_until([&] { return sending.done(); });
  EXPECT_EQ(sending.status, IoStatus::kPeerGone);
}

TEST_P(LoopTest, ConnectSaysWhatBecameOfIt) {
  Hall full(0);
  std::vector<Fd> clients;
  for (int i = 0; i < 8; ++i)
    clients.emplace_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
  std::deque<Witness> connecting(clients.size());
  for (size_t i = 0; i < clients.size(); ++i) {
    sockaddr_un copy = full.address;  // gone before the loop runs
    loop().connect(*clients[i], reinterpret_cast<sockaddr*>(&copy), full.length, connecting[i]);
    copy = {};
  }
  run_until([&] { return std::ranges::all_of(connecting, &Witness::done); });
  EXPECT_EQ(connecting.front().last.status, IoStatus::kOk);
  EXPECT_EQ(connecting.back().last.status, IoStatus::kTimedOut);

  full.fd.close();
  Witness refused;
  loop().connect(*clients.back(), full.raw(), full.length, refused);
  sockaddr_un nowhere{};
  nowhere.sun_family = AF_UNIX;
  std::string_view("/nonexistent/socket").copy(nowhere.sun_path, sizeof nowhere.sun_path - 1);
  Witness missing;
  Fd other(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
  loop().connect(*other, reinterpret_cast<sockaddr*>(&nowhere), sizeof nowhere, missing);
  run_until([&] { return refused.done() && missing.done(); });
  EXPECT_EQ(refused.last.status, IoStatus::kRefused);
  EXPECT_EQ(missing.last.status, IoStatus::kNotFound);
}

TEST_P(LoopTest, OutOfDescriptorsAcceptingWaitsAndRecovers) {
  Hall hall;
  // While there are no descriptors the undefined behaviour sanitizer cannot check an object it has
  // not seen before: these it has.
  Loop& scarce = loop();
  run_until([] { return true; });
  std::vector<Fd> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(hall.visitor());
  rlimit usual{};
  ::getrlimit(RLIMIT_NOFILE, &usual);
  // Room for three more.
  std::array<int, 3> probe{};
  for (int& fd : probe) fd = ::dup(0);
  const rlimit tight{.rlim_cur = static_cast<rlim_t>(probe.back()) + 1, .rlim_max = usual.rlim_max};
  for (const int fd : probe) ::close(fd);
  ::setrlimit(RLIMIT_NOFILE, &tight);

  std::vector<Fd> accepted;
  int shortages = 0;
  Witness accepting;
  accepting.then = [&](const Event& event) {
    if (event.status == IoStatus::kOk) accepted.emplace_back(event.value);
    if (event.status == IoStatus::kNoDescriptors) {
      ++shortages;
      EXPECT_TRUE(event.more);
    }
  };
  scarce.accept(*hall.fd, accepting);
  run_until([&] { return shortages > 0; });
  EXPECT_EQ(accepted.size(), 3u);
  const uint64_t events = scarce.stats().events;
  scarce.run_once(0);
  EXPECT_EQ(scarce.stats().events, events) << "it tries again at once: it would spin";
  accepted.clear();
  run_until([&] { return accepted.size() == 3; });
  ::setrlimit(RLIMIT_NOFILE, &usual);
  run_until([&] { return accepted.size() == clients.size() - 3; });
  stop(accepting);
  EXPECT_EQ(accepting.last.status, IoStatus::kCancelled);
}

TEST_P(LoopTest, AcceptingCanBeStoppedWhileItWaitsForDescriptors) {
  Hall hall;
  Fd client = hall.visitor();
  rlimit usual{};
  ::getrlimit(RLIMIT_NOFILE, &usual);
  const rlimit none{.rlim_cur = 1, .rlim_max = usual.rlim_max};
  Loop& scarce = loop();
  run_until([] { return true; });
  ::setrlimit(RLIMIT_NOFILE, &none);
  Witness accepting;
  scarce.accept(*hall.fd, accepting);
  run_until([&] { return accepting.events > 0; });
  ::setrlimit(RLIMIT_NOFILE, &usual);
  EXPECT_EQ(accepting.last.status, IoStatus::kNoDescriptors);
  stop(accepting);
  EXPECT_EQ(accepting.last.status, IoStatus::kCancelled);
}

TEST_P(LoopTest, ARingBeforeTheSleepIsNotLost) {
  loop().run_once(0);
  loop().doorbell().ring();
  loop().run_once(-1);
  // Many rings are one.
  for (int i = 0; i < 10; ++i) loop().doorbell().ring();
  loop().run_once(-1);
  EXPECT_EQ(loop().stats().events, 0u);
}

TEST_P(LoopTest, EveryRingFromAnotherThreadWakes) {
  constexpr int kRings = 2000;
  std::atomic<int> sent{0};
  std::counting_semaphore<> seen(0);
  std::thread ringer([&] {
    for (int i = 1; i <= kRings; ++i) {
      sent.store(i);
      loop().doorbell().ring();
      seen.acquire();
    }
  });
  for (int i = 1; i <= kRings; ++i) {
    while (sent.load() < i) loop().run_once(-1);
    seen.release();
  }
  ringer.join();
}

TEST_P(LoopTest, ATimeoutEndsATurnThatNothingElseEnds) {
  Pair pair = make_pair();
  Witness receiving;
  loop().receive(*pair.near, receiving);
  loop().run_once(2'000'000);
  loop().run_once(0);
  EXPECT_EQ(receiving.events, 0);
  EXPECT_EQ(loop().stats().turns, 2u);
  stop(receiving);
}

INSTANTIATE_TEST_SUITE_P(Backends, LoopTest, ::testing::ValuesIn(variants()), name_of);

}  // namespace
}  // namespace toll::net::testing
