// The keyed hash that gives every key (policy + id) its home and its identity.
//
// SipHash-1-3 with 128 bits of output (Aumasson and Bernstein, "SipHash: a fast short-input PRF",
// 2012; the 128-bit variant of the reference code), under a key drawn afresh by each process: ids
// are chosen by strangers, who must not be able to aim at one core or one slot.
//
// The bits are used once each: KeyHash::home picks the worker, KeyHash::tag the place in its index,
// KeyHash::rest tells keys apart that share both. A shard compares tag and rest, 96 bits: among ten
// million keys two are taken for one with a chance of 10^-15. Keeping home as well would cost each
// key the four bytes that let all window algorithms fit one block.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace toll::engine {

struct KeyHash {
  uint64_t rest = 0;
  uint32_t tag = 0;
  uint32_t home = 0;

  bool operator==(const KeyHash&) const = default;

  // The worker, of `workers`, that owns this key. REQUIRES: workers > 0.
  uint32_t owner(uint32_t workers) const {
    return static_cast<uint32_t>((uint64_t{home} * workers) >> 32);
  }
};

class KeyHasher {
 public:
  explicit KeyHasher(std::array<uint64_t, 2> key) : key_(key) {}

  // Never allocates; about 20 ns for a short id. Any thread.
  KeyHash operator()(uint16_t policy, std::string_view id) const;

 private:
  std::array<uint64_t, 2> key_;
};

}  // namespace toll::engine
