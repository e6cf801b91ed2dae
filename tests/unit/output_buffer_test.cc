#include "net/output_buffer.h"

#include <cstring>
#include <gtest/gtest.h>
#include <random>
#include <string>

namespace toll::net {
namespace {

void write(OutputBuffer& buffer, std::string_view text) {
  char* room = buffer.reserve(text.size());
  std::memcpy(room, text.data(), text.size());
  buffer.commit(text.size());
}

// Takes out at most `bytes`, as a short send would.
std::string take(OutputBuffer& buffer, size_t bytes) {
  const auto front = buffer.front();
  const std::string text(front.data(), std::min(bytes, front.size()));
  buffer.consume(text.size());
  return text;
}

TEST(OutputBuffer, BytesComeOutAsTheyWentIn) {
  constexpr uint64_t kSeed = 4711;
  SCOPED_TRACE(kSeed);
  std::mt19937_64 random(kSeed);
  ChunkPool pool(4);
  OutputBuffer buffer(pool);
  std::string in;
  std::string out;
  for (int step = 0; step < 20'000; ++step) {
    std::string text(random() % kOutputPieceMax, static_cast<char>(random()));
    switch (random() % 4) {
      case 0:
        write(buffer, text);
        in += text;
        break;
      case 1:
        for (int i = 0; i < 20 && step % 50 == 1; ++i) text += text.substr(0, 3000);
        buffer.append(text);
        in += text;
        break;
      default:
        out += take(buffer, random() % (2 * kOutputPieceMax));
    }
    ASSERT_EQ(buffer.size(), in.size() - out.size());
    ASSERT_EQ(buffer.empty(), buffer.front().empty());
  }
  while (!buffer.empty()) out += take(buffer, 1000);
  EXPECT_TRUE(in == out);
}

// The kernel may be sending them.
TEST(OutputBuffer, TheFrontStaysInPlaceWhileMoreIsWritten) {
  ChunkPool pool;
  OutputBuffer buffer(pool);
  buffer.append("first");
  const auto front = buffer.front();
  buffer.append(std::string(5 * kOutputChunkBytes, 'x'));
  EXPECT_EQ(buffer.front().data(), front.data());
  EXPECT_EQ(std::string(front.data(), front.size()), "first");
}

TEST(OutputBuffer, APieceIsNeverTorn) {
  ChunkPool pool;
  OutputBuffer buffer(pool);
  buffer.append(std::string(kOutputChunkBytes - 10, 'x'));
  write(buffer, std::string(11, 'y'));
  EXPECT_EQ(buffer.front().size(), kOutputChunkBytes - 10);
  buffer.consume(buffer.front().size());
  EXPECT_EQ(buffer.front().size(), 11u);
}

TEST(OutputBuffer, APieceThatCameToNothingLeavesNothing) {
  ChunkPool pool;
  OutputBuffer buffer(pool);
  buffer.reserve(100);
  buffer.commit(0);
  EXPECT_TRUE(buffer.empty());
  EXPECT_TRUE(buffer.front().empty());
  buffer.consume(0);
  write(buffer, "x");
  EXPECT_EQ(take(buffer, 9), "x");
}

TEST(OutputBuffer, AnEmptyBufferHoldsNoChunk) {
  ChunkPool pool;
  OutputBuffer first(pool);
  OutputBuffer second(pool);
  first.append("x");
  const char* place = first.front().data();
  first.consume(1);
  second.append("y");
  EXPECT_EQ(second.front().data(), place) << "the chunk was not given back";
  second.clear();
  EXPECT_EQ(second.size(), 0u);
  first.append("z");
  EXPECT_EQ(first.front().data(), place);
}

}  // namespace
}  // namespace toll::net
