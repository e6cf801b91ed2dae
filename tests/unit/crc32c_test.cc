// The journal's checksum: the published vectors, and both ways to the same figure.
#include "engine/crc32c.h"

#include <cstddef>
#include <cstdint>
#include <gtest/gtest.h>
#include <random>
#include <string>
#include <string_view>

namespace toll::engine {
namespace {

// The definition, bit by bit.
uint32_t slow_crc32c(std::string_view bytes) {
  uint32_t crc = 0xffff'ffff;
  for (const char byte : bytes) {
    crc ^= static_cast<uint8_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? crc >> 1 ^ 0x82f6'3b78 : crc >> 1;
  }
  return ~crc;
}

std::string counting(int first, int step) {
  std::string bytes;
  for (int i = 0; i < 32; ++i) bytes += static_cast<char>(first + i * step);
  return bytes;
}

// RFC 3720, B.4: an iSCSI command, its last example.
constexpr std::string_view kCommand{
    "\x01\xc0\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
    "\x14\x00\x00\x00\x00\x00\x04\x00\x00\x00\x00\x14\x00\x00\x00\x18"
    "\x28\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00",
    48};

struct Vector {
  std::string bytes;
  uint32_t crc;
};

const Vector kVectors[] = {{"", 0},
                           {"123456789", 0xe306'9283},
                           {std::string(32, '\0'), 0x8a91'36aa},
                           {std::string(32, '\xff'), 0x62a8'ab43},
                           {counting(0, 1), 0x46dd'794e},
                           {counting(31, -1), 0x113f'db5c},
                           {std::string(kCommand), 0xd996'3a56}};

TEST(Crc32c, IsWhatTheRfcSays) {
  for (const Vector& vector : kVectors) {
    EXPECT_EQ(crc32c(vector.bytes), vector.crc) << vector.bytes.size();
    EXPECT_EQ(crc32c_by_tables(vector.bytes), vector.crc) << vector.bytes.size();
    if (has_crc32c_instruction()) {
      EXPECT_EQ(crc32c_by_instruction(vector.bytes), vector.crc);
    }
  }
}

TEST(Crc32c, BothWaysAgreeForEveryLengthAndPlace) {
  std::mt19937_64 random(1);
  std::string bytes(300, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  for (size_t first = 0; first < 9; ++first) {
    for (size_t length = 0; length + first <= bytes.size(); ++length) {
      const std::string_view part = std::string_view(bytes).substr(first, length);
      const uint32_t expected = slow_crc32c(part);
      ASSERT_EQ(crc32c_by_tables(part), expected) << first << "+" << length;
      if (has_crc32c_instruction()) {
        ASSERT_EQ(crc32c_by_instruction(part), expected) << first << "+" << length;
      }
    }
  }
}

TEST(Crc32c, GoesOnFromWhatCameBefore) {
  const std::string bytes = counting(7, 3);
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    const std::string_view front = std::string_view(bytes).substr(0, cut);
    const std::string_view back = std::string_view(bytes).substr(cut);
    EXPECT_EQ(crc32c(back, crc32c(front)), slow_crc32c(bytes)) << cut;
    EXPECT_EQ(crc32c_by_tables(back, crc32c_by_tables(front)), slow_crc32c(bytes)) << cut;
  }
}

}  // namespace
}  // namespace toll::engine
