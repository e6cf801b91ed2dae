#include "net/post_office.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <gtest/gtest.h>
#include <memory>
#include <numeric>
#include <random>
#include <thread>
#include <vector>

#include "net/event_doorbell.h"
#include "net/spsc_ring.h"

namespace toll::net {
namespace {

struct Note {
  uint64_t number = 0;
  uint64_t answer = 0;
};

TEST(SpscRing, GivesBackInOrderAndIsBounded) {
  SpscRing<Note> ring(4);
  std::array<Note, 5> notes;
  for (size_t i = 0; i < 4; ++i) EXPECT_TRUE(ring.put(&notes[i]));
  EXPECT_FALSE(ring.put(&notes[4])) << "a full ring took one more";
  EXPECT_EQ(ring.take(), nullptr) << "seen before it was published";
  EXPECT_TRUE(ring.publish());
  EXPECT_FALSE(ring.publish()) << "nothing new, yet published";
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(ring.take(), &notes[i]);
  EXPECT_EQ(ring.take(), nullptr);
  EXPECT_FALSE(ring.put(&notes[4])) << "room was used before the taker gave it back";
  ring.release();
  EXPECT_TRUE(ring.put(&notes[4]));
}

TEST(SpscRing, LosesAndReordersNothingBetweenTwoThreads) {
  static constexpr uint64_t kNotes = 200'000;
  SpscRing<Note> ring(8);  // small, so that full and empty are the common case
  std::vector<Note> notes(kNotes);
  std::jthread putter([&] {
    for (uint64_t i = 0; i < kNotes; ++i) {
      notes[i].number = i;
      while (!ring.put(&notes[i])) {
        ring.publish();
        std::this_thread::yield();
      }
      if (i % 3 == 0) ring.publish();
    }
    ring.publish();
  });
  for (uint64_t expected = 0; expected < kNotes;) {
    Note* note = ring.take();
    if (note == nullptr) {
      ring.release();
      std::this_thread::yield();
      continue;
    }
    ASSERT_EQ(note->number, expected);
    ++expected;
  }
}

TEST(PostOffice, NobodyIsRungWhoIsAwake) {
  PostOffice<Note> post(2, 8);
  EventDoorbell bell;
  post.open(1, bell);
  Note note;
  post.send(0, 1, &note);
  post.deliver(0);
  EXPECT_EQ(post.ring(0), 0u);
}

TEST(PostOffice, ASleeperIsRungOnceForAWholeBatch) {
  PostOffice<Note> post(2, 8);
  EventDoorbell bell;
  post.open(1, bell);
  ASSERT_TRUE(post.may_sleep(1));
  std::array<Note, 3> notes;
  for (Note& note : notes) post.send(0, 1, &note);
  post.deliver(0);
  EXPECT_EQ(post.ring(0), 1u);
  Note late;
  post.send(0, 1, &late);
  post.deliver(0);
  EXPECT_EQ(post.ring(0), 0u) << "it was rung already";
  EXPECT_FALSE(post.may_sleep(1)) << "it would have slept over its mail";
}

TEST(PostOffice, RoomComesBackWithTheReply) {
  PostOffice<Note> post(2, 2);
  std::array<Note, 2> notes;
  post.send(0, 1, &notes[0]);
  post.send(0, 1, &notes[1]);
  EXPECT_EQ(post.room(0, 1), 0u);
  post.deliver(0);
  EXPECT_TRUE(post.owes_rings(0));
  post.ring(0);
  EXPECT_FALSE(post.owes_rings(0));
  const auto reply = [&](uint32_t from, Note* note) { post.reply(1, from, note); };
  const auto none = [](Note*) { FAIL(); };
  EXPECT_EQ(post.collect(1, reply, none), 2u);
  EXPECT_EQ(post.room(0, 1), 0u);
  post.deliver(1);
  size_t replies = 0;
  post.collect(0, [](uint32_t, Note*) { FAIL(); }, [&](Note*) { ++replies; });
  EXPECT_EQ(replies, 2u);
  EXPECT_EQ(post.room(0, 1), 2u);
}

// Each worker asks the others and answers them, sleeping on its doorbell whenever it has nothing to
// do. A lost wake-up would hang; the numbers show that nothing is lost, doubled or out of order.
void work(PostOffice<Note>& post, Loop& loop, uint32_t self, uint64_t questions,
          std::atomic<uint32_t>& busy) {
  post.open(self, loop.doorbell());
  const uint32_t workers = post.workers();
  std::vector<std::unique_ptr<Note>> notes;
  std::vector<uint64_t> next_reply(workers, 0);
  std::vector<uint64_t> asked(workers, 0);
  std::minstd_rand random(self + 1);
  uint64_t answered = 0;
  const uint64_t expected = questions * (workers - 1);
  bool done = false;
  while (busy.load() > 0) {
    post.collect(
        self,
        [&](uint32_t from, Note* note) {
          note->answer = note->number * 3 + self;
          post.reply(self, from, note);
        },
        [&](Note* note) {
          const auto other = static_cast<uint32_t>(note->answer - note->number * 3);
          ASSERT_EQ(note->number, next_reply[other]);
          ++next_reply[other];
          ++answered;
        });
    for (uint32_t other = 0; other < workers; ++other) {
      if (other == self) continue;
      for (uint64_t burst = random() % 5; burst > 0; --burst) {
        if (asked[other] == questions || post.room(self, other) == 0) break;
        notes.push_back(std::make_unique<Note>(Note{.number = asked[other]}));
        ++asked[other];
        post.send(self, other, notes.back().get());
      }
    }
    post.deliver(self);
    post.ring(self);
    if (!done && answered == expected) {
      done = true;
      if (busy.fetch_sub(1) == 1) {
        for (uint32_t other = 0; other < workers; ++other) post.wake(other);
      }
    }
    const bool all_asked = std::accumulate(asked.begin(), asked.end(), uint64_t{0}) == expected;
    const bool sleep = all_asked && post.may_sleep(self) && busy.load() > 0;
    loop.run_once(sleep ? -1 : 0);
    post.awake(self);
  }
  EXPECT_EQ(answered, expected);
}

TEST(PostOffice, NoWakeUpIsLostAndNoLetterBetweenManyThreads) {
  static constexpr uint32_t kWorkers = 3;
  PostOffice<Note> post(kWorkers, 8);
  std::atomic<uint32_t> busy{kWorkers};
  // They outlive the threads: who is done last may still ring one that has ended.
  std::vector<std::unique_ptr<Loop>> loops;
  for (uint32_t self = 0; self < kWorkers; ++self) {
    auto loop = Loop::make(Backend::kEpoll);
    ASSERT_TRUE(loop.has_value()) << loop.error();
    loops.push_back(std::move(*loop));
  }
  std::vector<std::jthread> threads;
  for (uint32_t self = 0; self < kWorkers; ++self) {
    threads.emplace_back([&, self] { work(post, *loops[self], self, 20'000, busy); });
  }
}

}  // namespace
}  // namespace toll::net
