#include "tests/sim/sha1.h"

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace toll::sim {

namespace {

using State = std::array<uint32_t, 5>;

constexpr size_t kBlock = 64;

std::array<uint32_t, 80> schedule(std::string_view block) {
  std::array<uint32_t, 80> words;
  for (size_t i = 0; i < 16; ++i) {
    uint32_t word = 0;
    for (size_t j = 0; j < 4; ++j) word = word << 8 | static_cast<uint8_t>(block[4 * i + j]);
    words[i] = word;
  }
  for (size_t i = 16; i < words.size(); ++i) {
    words[i] = std::rotl(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
  }
  return words;
}

// The function and the constant of a round.
std::pair<uint32_t, uint32_t> mix(size_t round, uint32_t b, uint32_t c, uint32_t d) {
  if (round < 20) return {(b & c) | (~b & d), 0x5a827999};
  if (round < 40) return {b ^ c ^ d, 0x6ed9eba1};
  if (round < 60) return {(b & c) | (b & d) | (c & d), 0x8f1bbcdc};
  return {b ^ c ^ d, 0xca62c1d6};
}

void absorb(State& state, std::string_view block) {
  const auto words = schedule(block);
  auto [a, b, c, d, e] = state;
  for (size_t round = 0; round < words.size(); ++round) {
    const auto [mixed, constant] = mix(round, b, c, d);
    const uint32_t next = std::rotl(a, 5) + mixed + e + constant + words[round];
    e = d;
    d = c;
    c = std::rotl(b, 30);
    b = a;
    a = next;
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
  state[4] += e;
}

}  // namespace

std::string sha1_hex(std::string_view bytes) {
  State state{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  const uint64_t bits = uint64_t{bytes.size()} * 8;
  for (; bytes.size() >= kBlock; bytes.remove_prefix(kBlock)) absorb(state, bytes);
  std::string last(bytes);
  last += '\x80';
  while (last.size() % kBlock != kBlock - 8) last += '\0';
  for (int shift = 56; shift >= 0; shift -= 8) last += static_cast<char>(bits >> shift & 0xff);
  for (size_t at = 0; at < last.size(); at += kBlock) {
    absorb(state, std::string_view(last).substr(at));
  }
  std::string hex;
  for (const uint32_t word : state) {
    for (int shift = 28; shift >= 0; shift -= 4) hex += "0123456789abcdef"[word >> shift & 0xf];
  }
  return hex;
}

}  // namespace toll::sim
