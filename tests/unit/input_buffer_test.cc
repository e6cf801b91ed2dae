#include "daemon/input_buffer.h"

#include <gtest/gtest.h>
#include <random>
#include <string>
#include <string_view>

#include "net/limits.h"

namespace toll::daemon {
namespace {

std::string_view text(InputBuffer& buffer) {
  return {buffer.bytes().data(), buffer.bytes().size()};
}

TEST(InputBuffer, KeepsWhatWasAppendedUntilItIsDropped) {
  InputPool pool;
  InputBuffer buffer(pool);
  EXPECT_TRUE(buffer.empty());
  buffer.append(std::string_view("CHECK a"));
  buffer.append(std::string_view("pi alice\n"));
  EXPECT_EQ(text(buffer), "CHECK api alice\n");
  buffer.drop(6);
  EXPECT_EQ(text(buffer), "api alice\n");
  buffer.drop(10);
  EXPECT_TRUE(buffer.empty());
}

TEST(InputBuffer, LosesNothingWhateverThePieces) {
  InputPool pool;
  InputBuffer buffer(pool);
  std::string model;
  std::minstd_rand random(7);
  for (int step = 0; step < 3'000; ++step) {
    const std::string piece(random() % 9'000, static_cast<char>('a' + step % 26));
    buffer.append(piece);
    model += piece;
    const size_t drop = model.empty() ? 0 : random() % (model.size() + 1);
    buffer.drop(drop);
    model.erase(0, drop);
    ASSERT_EQ(text(buffer), model) << "step " << step;
  }
}

// The address sanitizer sees where the slack is missing, valgrind where it was never written.
TEST(InputBuffer, BehindItsBytesMayBeRead) {
  InputPool pool;
  const std::string piece(InputPool::kBufferBytes, 'x');
  for (const size_t size : {size_t{1}, InputPool::kBufferBytes - 1, InputPool::kBufferBytes}) {
    InputBuffer buffer(pool);
    buffer.append(std::string_view(piece).substr(0, size));
    const std::span<char> bytes = buffer.bytes();
    for (size_t at = 0; at < net::kReadSlackBytes; ++at) {
      ASSERT_EQ(bytes.data()[size + at], '\0') << at << " behind " << size;
    }
  }
  InputBuffer grown(pool);
  grown.append(piece);
  grown.append(piece);
  const std::span<char> bytes = grown.bytes();
  ASSERT_EQ(bytes.size(), 2 * InputPool::kBufferBytes);
  EXPECT_EQ(std::string_view(bytes.data() + bytes.size(), net::kReadSlackBytes),
            std::string(net::kReadSlackBytes, '\0'));
}

}  // namespace
}  // namespace toll::daemon
