#include "engine/key_hash.h"

#include <bit>
#include <cstring>

#include "engine/load_word.h"

namespace toll::engine {
namespace {

// The figures are read as little-endian words, as the reference code defines them.
static_assert(std::endian::native == std::endian::little);

struct SipState {
  uint64_t v0, v1, v2, v3;

  void round() {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }

  void absorb(uint64_t word) {
    v3 ^= word;
    round();
    v0 ^= word;
  }

  uint64_t squeeze() {
    round();
    round();
    round();
    return v0 ^ v1 ^ v2 ^ v3;
  }
};

// The bytes of a text behind its last whole word, 0 to 7, without reading past either end of it.
uint64_t load_tail(std::string_view text) {
  const size_t bytes = text.size() % sizeof(uint64_t);
  if (bytes == 0) return 0;
  if (text.size() > sizeof(uint64_t)) {
    return load_word(text.data() + text.size() - sizeof(uint64_t)) >> (64 - 8 * bytes);
  }
  uint64_t word = 0;
  std::memcpy(&word, text.data(), bytes);
  return word;
}

}  // namespace

KeyHash KeyHasher::operator()(uint16_t policy, std::string_view id) const {
  SipState state{key_[0] ^ 0x736f6d6570736575, key_[1] ^ 0x646f72616e646f6d ^ 0xee,
                 key_[0] ^ 0x6c7967656e657261, key_[1] ^ 0x7465646279746573};
  state.absorb(policy);
  const uint64_t length = sizeof(uint64_t) + id.size();
  for (size_t at = 0; at + sizeof(uint64_t) <= id.size(); at += sizeof(uint64_t)) {
    state.absorb(load_word(id.data() + at));
  }
  state.absorb(length << 56 | load_tail(id));

  state.v2 ^= 0xee;
  const uint64_t first = state.squeeze();
  state.v1 ^= 0xdd;
  const uint64_t second = state.squeeze();
  return {.rest = first,
          .tag = static_cast<uint32_t>(second),
          .home = static_cast<uint32_t>(second >> 32)};
}

}  // namespace toll::engine
