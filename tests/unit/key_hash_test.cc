// The keyed hash against the published vectors of SipHash, by way of a second, plain
// implementation.
#include "engine/key_hash.h"

#include <array>
#include <cstdint>
#include <gtest/gtest.h>
#include <set>
#include <string>
#include <string_view>

namespace toll::engine {
namespace {

constexpr std::array<uint64_t, 2> kReferenceKey = {0x0706050403020100, 0x0f0e0d0c0b0a0908};

// SipHash-c-d-128 as the paper's pseudo-code has it, a byte at a time.
class PlainSipHash {
 public:
  PlainSipHash(std::array<uint64_t, 2> key, int c, int d) : c_(c), d_(d) {
    const uint64_t constants[4] = {0x736f6d6570736575, 0x646f72616e646f6d, 0x6c7967656e657261,
                                   0x7465646279746573};
    for (size_t i = 0; i < 4; ++i) v_[i] = constants[i] ^ key[i % 2];
    v_[1] ^= 0xee;
  }

  std::array<uint64_t, 2> operator()(std::string message) {
    const auto length = static_cast<char>(message.size());
    while (message.size() % 8 != 7) message.push_back('\0');
    message.push_back(length);
    for (size_t at = 0; at < message.size(); at += 8) {
      uint64_t word = 0;
      for (size_t i = 0; i < 8; ++i) {
        word |= uint64_t{static_cast<unsigned char>(message[at + i])} << (8 * i);
      }
      v_[3] ^= word;
      rounds(c_);
      v_[0] ^= word;
    }
    v_[2] ^= 0xee;
    rounds(d_);
    const uint64_t first = v_[0] ^ v_[1] ^ v_[2] ^ v_[3];
    v_[1] ^= 0xdd;
    rounds(d_);
    return {first, v_[0] ^ v_[1] ^ v_[2] ^ v_[3]};
  }

 private:
  static uint64_t left(uint64_t x, int by) { return x << by | x >> (64 - by); }

  void rounds(int n) {
    auto& [a, b, c, d] = v_;
    for (; n > 0; --n) {
      a += b, b = left(b, 13), b ^= a, a = left(a, 32);
      c += d, d = left(d, 16), d ^= c;
      a += d, d = left(d, 21), d ^= a;
      c += b, b = left(b, 17), b ^= c, c = left(c, 32);
    }
  }

  int c_;
  int d_;
  std::array<uint64_t, 4> v_{};
};

std::string counting_bytes(size_t n) {
  std::string text;
  for (size_t i = 0; i < n; ++i) text.push_back(static_cast<char>(i));
  return text;
}

// As the reference prints it: the bytes in order.
std::string hex(std::array<uint64_t, 2> words) {
  std::string text;
  for (const uint64_t word : words) {
    for (int i = 0; i < 8; ++i) {
      const char* digits = "0123456789abcdef";
      text.push_back(digits[word >> (8 * i + 4) & 15]);
      text.push_back(digits[word >> (8 * i) & 15]);
    }
  }
  return text;
}

TEST(KeyHash, ThePlainModelAgreesWithThePublishedVectors) {
  EXPECT_EQ(hex(PlainSipHash(kReferenceKey, 2, 4)("")), "a3817f04ba25a8e66df67214c7550293");
  EXPECT_EQ(hex(PlainSipHash(kReferenceKey, 2, 4)(counting_bytes(1))),
            "da87c1d86b99af44347659119b22fc45");
  EXPECT_EQ(hex(PlainSipHash(kReferenceKey, 2, 4)(counting_bytes(15))),
            "5493e99933b0a8117e08ec0f97cfc3d9");
  EXPECT_EQ(hex(PlainSipHash(kReferenceKey, 1, 3)(counting_bytes(8))),
            "aa12fee1d5e3dab4724f16ab35f9c799");
  EXPECT_EQ(hex(PlainSipHash(kReferenceKey, 1, 3)(counting_bytes(23))),
            "1d127b84405ceab99fd8775a9be6c559");
}

TEST(KeyHash, IsSipHash13Of128BitsOverPolicyAndId) {
  const KeyHasher hasher(kReferenceKey);
  for (size_t length = 0; length <= 520; ++length) {
    const std::string id = counting_bytes(length);
    const uint16_t policy = static_cast<uint16_t>(length * 37);
    std::string message(8, '\0');
    message[0] = static_cast<char>(policy & 0xff);
    message[1] = static_cast<char>(policy >> 8);
    const auto expected = PlainSipHash(kReferenceKey, 1, 3)(message + id);
    const KeyHash hash = hasher(policy, id);
    EXPECT_EQ(hash.rest, expected[0]) << length;
    EXPECT_EQ(hash.tag, static_cast<uint32_t>(expected[1])) << length;
    EXPECT_EQ(hash.home, static_cast<uint32_t>(expected[1] >> 32)) << length;
  }
}

TEST(KeyHash, AnotherKeyPolicyOrIdIsAnotherHash) {
  std::set<uint64_t> seen;
  for (uint64_t key = 0; key < 4; ++key) {
    for (uint16_t policy = 0; policy < 4; ++policy) {
      // Ids that differ in trailing zero bytes only are different ids.
      for (const size_t zeros : {1, 2, 7, 8, 9}) {
        seen.insert(KeyHasher({key, 0})(policy, std::string(zeros, '\0')).rest);
      }
    }
  }
  EXPECT_EQ(seen.size(), 4u * 4u * 5u);
}

TEST(KeyHash, EveryWorkerGetsItsShareOfTheKeys) {
  const KeyHasher hasher(kReferenceKey);
  std::array<int, 3> keys{};
  for (int i = 0; i < 30'000; ++i) ++keys.at(hasher(0, std::to_string(i)).owner(3));
  for (const int share : keys) EXPECT_NEAR(share, 10'000, 500);
}

}  // namespace
}  // namespace toll::engine
