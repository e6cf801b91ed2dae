#include "net/stream.h"

#include <algorithm>
#include <deque>
#include <poll.h>

#include "tests/unit/loop_fixture.h"

namespace toll::net::testing {
namespace {

// Owns a stream as a session does, writes down what it hears, and does in the middle of it what the
// test wants done. Frees the stream in on_closed(): what touches it afterwards is found out.
struct Owner final : StreamHandler {
  Owner(Loop& loop, int fd, ChunkPool& pool)
      : stream(std::make_unique<Stream>(loop, fd, pool, *this)) {}

  void on_data(std::span<char> data) override {
    ASSERT_EQ(closed, 0);
    ASSERT_EQ(ends, 0);
    ASSERT_FALSE(stream->closing());
    text.append(data.data(), data.size());
    if (at_data) at_data();
  }
  void on_end(IoStatus status) override {
    ASSERT_EQ(closed, 0);
    ++ends;
    end = status;
    if (at_end) at_end();
  }
  void on_drained() override {
    ASSERT_EQ(closed, 0);
    ASSERT_EQ(stream->unsent_bytes(), 0u);
    ++drained;
    if (at_drained) at_drained();
  }
  void on_closed() override {
    ++closed;
    ASSERT_TRUE(stream->closed());
    stream.reset();
  }

  std::string text;
  int ends = 0;
  int drained = 0;
  int closed = 0;
  IoStatus end = IoStatus::kOk;
  std::function<void()> at_data;
  std::function<void()> at_end;
  std::function<void()> at_drained;
  std::unique_ptr<Stream> stream;
};

class StreamTest : public LoopTest {
 protected:
  Owner& open(int bytes = queue_bytes()) {
    Pair pair = make_pair(bytes);
    peer_ = std::move(pair.far);
    Owner& owner = owners_.emplace_back(loop(), pair.near.release(), pool_);
    owner.stream->start();
    return owner;
  }

  void close(Owner& owner) {
    if (owner.stream) owner.stream->abort();
    run_until([&] { return owner.closed == 1; });
  }

  // Reads all the peer can get until the stream's end.
  std::string hear_to_the_end() {
    std::string text;
    run_until(
        [&] {
          for (std::string piece = hear(peer_); !piece.empty(); piece = hear(peer_)) text += piece;
          char byte = 0;
          return ::recv(*peer_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
        },
        0);
    return text;
  }

  ChunkPool pool_;
  Fd peer_;
  std::deque<Owner> owners_;
};

TEST_P(StreamTest, PausingLosesAndReordersNothing) {
  constexpr uint64_t kSeed = 815;
  SCOPED_TRACE(kSeed);
  std::mt19937_64 random(kSeed);
  const std::string text = random_text(200'000, kSeed);
  Owner& owner = open();
  owner.at_data = [&] {
    if (random() % 2) owner.stream->pause_reading();
    if (random() % 4 == 0) owner.stream->resume_reading();
  };
  Speaker speaker(loop(), *peer_, text);
  run_until(
      [&] {
        if (random() % 3 == 0) owner.stream->resume_reading();
        if (random() % 5 == 0) owner.stream->pause_reading();
        return owner.text.size() == text.size();
      },
      0);
  EXPECT_TRUE(owner.text == text);
  run_until([&] { return speaker.done(); });
  owner.at_data = nullptr;
  close(owner);
}

TEST_P(StreamTest, ResumingBeforeThePauseHasComeThroughGoesOn) {
  Owner& owner = open();
  settle();
  owner.stream->pause_reading();
  owner.stream->resume_reading();
  settle();
  say(peer_, "still here");
  run_until([&] { return owner.text == "still here"; });
  close(owner);
}

TEST_P(StreamTest, WhileReadingIsPausedThePeerIsHeldBack) {
  Owner& owner = open(4608);
  owner.stream->pause_reading();
  settle();
  const std::string text(200'000, 'x');
  Speaker speaker(loop(), *peer_, text);
  settle();
  EXPECT_EQ(owner.text.size(), 0u);
  EXPECT_TRUE(speaker.in_flight());
  owner.stream->resume_reading();
  run_until([&] { return owner.text.size() == text.size(); });
  run_until([&] { return speaker.done(); });
  close(owner);
}

TEST_P(StreamTest, CloseAfterFlushDeliversAllToASlowReader) {
  const std::string text = random_text(300'000, 5);
  Owner& owner = open(4608);
  owner.stream->output().append(text);
  owner.stream->close_after_flush();
  owner.stream->close_after_flush();  // again: harmless
  EXPECT_EQ(owner.closed, 0);
  std::string heard;
  run_until(
      [&] {
        heard += hear(peer_, 1000);
        return owner.closed == 1;
      },
      0);
  heard += hear_to_the_end();
  EXPECT_TRUE(heard == text);
  EXPECT_EQ(owner.ends, 0);
  EXPECT_EQ(owner.drained, 0);
}

// The peer does not read before it has written all it has, and gets its answer all the same.
TEST_P(StreamTest, WhatComesWhileClosingIsReadAndDropped) {
  Owner& owner = open(4608);
  owner.stream->pause_reading();
  settle();
  const std::string flood(300'000, 'x');
  const std::string answer = random_text(100'000, 3);
  Speaker speaker(loop(), *peer_, flood);
  owner.stream->output().append(answer);
  owner.stream->close_after_flush();
  run_until([&] { return speaker.done(); });
  EXPECT_EQ(speaker.status, IoStatus::kOk);
  EXPECT_EQ(owner.closed, 0);
  EXPECT_TRUE(hear_to_the_end() == answer);
  EXPECT_EQ(owner.text, "");
  run_until([&] { return owner.closed == 1; });
}

TEST_P(StreamTest, AnEndedPeerStillGetsItsReplies) {
  const std::string reply = random_text(100'000, 8);
  Owner& owner = open(4608);
  owner.at_end = [&] {
    EXPECT_EQ(owner.end, IoStatus::kEnd);
    owner.stream->output().append(reply);
    owner.stream->close_after_flush();
  };
  say(peer_, "one request");
  ::shutdown(*peer_, SHUT_WR);
  EXPECT_TRUE(hear_to_the_end() == reply);
  run_until([&] { return owner.closed == 1; });
  EXPECT_EQ(owner.text, "one request");
  EXPECT_EQ(owner.ends, 1);
}

TEST_P(StreamTest, AbortFreesOnlyWhenTheKernelIsDone) {
  Owner& owner = open(4608);
  owner.stream->output().append(std::string(300'000, 'x'));
  owner.stream->flush();
  settle();
  EXPECT_GT(owner.stream->unsent_bytes(), 0u);
  owner.stream->abort();
  owner.stream->abort();
  owner.stream->flush();
  owner.stream->resume_reading();
  EXPECT_EQ(owner.closed, 0) << "a send is in flight";
  run_until([&] { return owner.closed == 1; });
  settle();
  EXPECT_EQ(owner.closed, 1);
  EXPECT_EQ(owner.ends, 0);
}

TEST_P(StreamTest, AnIdleStreamClosesFromTheLoopAndNotInsideTheCall) {
  for (const bool flush : {false, true}) {
    for (const bool paused : {false, true}) {
      Owner& owner = open();
      if (paused) {
        owner.stream->pause_reading();
        settle();
      }
      flush ? owner.stream->close_after_flush() : owner.stream->abort();
      EXPECT_EQ(owner.closed, 0);
      run_until([&] { return owner.closed == 1; });
      char byte = 0;
      EXPECT_EQ(::recv(*peer_, &byte, 1, 0), 0);
    }
  }
}

TEST_P(StreamTest, AStreamMayBeClosedFromEachOfItsHandlers) {
  for (const bool flush : {false, true}) {
    for (const char* where : {"data", "end", "drained"}) {
      Owner& owner = open();
      const auto leave = [&] { flush ? owner.stream->close_after_flush() : owner.stream->abort(); };
      const std::string place = where;
      if (place == "data") owner.at_data = leave;
      if (place == "end") owner.at_end = leave;
      if (place == "drained") owner.at_drained = leave;
      owner.stream->output().append("hello");
      owner.stream->flush();
      say(peer_, "a text longer than the smallest of buffers");
      if (place == "end") ::shutdown(*peer_, SHUT_WR);
      run_until([&] { return owner.closed == 1; });
      EXPECT_LE(owner.ends, 1);
    }
  }
}

TEST_P(StreamTest, APeerThatDiesIsToldOnce) {
  Owner& owner = open(4608);
  owner.stream->output().append(std::string(300'000, 'x'));
  owner.stream->flush();
  settle();
  say(peer_, "farewell");
  peer_.close();
  run_until([&] { return owner.ends > 0; });
  close(owner);
  EXPECT_EQ(owner.text, "farewell");
  EXPECT_EQ(owner.ends, 1);
  EXPECT_EQ(owner.closed, 1);
}

TEST_P(StreamTest, AStreamThatNeverStartedClosesItsDescriptor) {
  Pair pair = make_pair();
  Owner& owner = owners_.emplace_back(loop(), pair.near.release(), pool_);
  owner.stream.reset();
  char byte = 0;
  EXPECT_EQ(::recv(*pair.far, &byte, 1, 0), 0);
}

// Whatever owner and peer do in whatever order: bytes come in order, the end at most once, and the
// close exactly once and last.
TEST_P(StreamTest, AnyOrderOfCallsEndsInOneClose) {
  constexpr uint64_t kSeed = 20250101;
  for (uint64_t seed = kSeed; seed < kSeed + 150; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    Owner& owner = open();
    const std::string incoming = random_text(20'000, seed);
    size_t said = 0;
    const auto act = [&] {
      if (!owner.stream) return;
      Stream& stream = *owner.stream;
      switch (random() % 16) {
        case 0:
        case 1:
          stream.pause_reading();
          break;
        case 2:
        case 3:
        case 4:
          stream.resume_reading();
          break;
        case 5:
        case 6:
          stream.output().append(random_text(random() % 9000, 1));
          break;
        case 7:
        case 8:
        case 9:
          stream.flush();
          break;
        case 10:
          if (random() % 8 == 0) stream.close_after_flush();
          break;
        case 11:
          if (random() % 16 == 0) stream.abort();
          break;
        default:
          break;
      }
    };
    owner.at_data = owner.at_end = owner.at_drained = act;
    for (int step = 0; step < 200 && owner.closed == 0; ++step) {
      act();
      if (random() % 2) loop().run_once(0);
      const auto piece = std::string_view(incoming).substr(said, random() % 500);
      const ssize_t sent = ::send(*peer_, piece.data(), piece.size(), MSG_NOSIGNAL);
      if (sent > 0) said += static_cast<size_t>(sent);
      if (random() % 3 == 0) hear(peer_, 5000);
      if (random() % 100 == 0) ::shutdown(*peer_, SHUT_WR);
      if (random() % 200 == 0) peer_.close();
    }
    close(owner);
    settle();
    ASSERT_EQ(owner.closed, 1);
    ASSERT_LE(owner.ends, 1);
    ASSERT_TRUE(incoming.starts_with(owner.text));
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, StreamTest, ::testing::ValuesIn(variants()), name_of);

}  // namespace
}  // namespace toll::net::testing
