// What a shard keeps of one key, as it lies in its blocks, and how states get in and out.
//
//   header block                                            continuation blocks, if 16 bytes are
//   few
//   +------+---------+------+---------------+--------+---------------+----------+
//   +------+----------+ | next | touched | rest | refused_until | policy | revision      | 16 bytes
//   |->| next | 36 bytes | |      |   _s    |      |      _s       |        | shape         | of
//   state |  |      | of state |
//   +------+---------+------+---------------+--------+---------------+----------+
//   +------+----------+
//
// The states of a key's limits are packed one behind the other across those bytes: 12 bytes for
// gcra, 24 for token_bucket, 16 for all others. So a key with one limit takes one block
// (token_bucket: two); the entries of a sliding log and the tickets of a concurrency limit are
// further blocks that hang from their state.
//
// Internal to the shard; its thread alone.
#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

#include "engine/algorithms.h"
#include "engine/block_store.h"
#include "engine/concurrency.h"
#include "engine/limits.h"
#include "engine/rule_book.h"
#include "engine/sliding_log.h"
#include "engine/types.h"

namespace toll::engine {

// Algorithm and number of limits that the states were made under, so that a key can be freed
// whatever became of its policy; and a mark that holds a key while room is made for others.
struct KeyShape {
  uint8_t algorithm : 3;
  uint8_t limits_less_one : 3;
  uint8_t pinned : 1;
  uint8_t unused : 1;

  static constexpr KeyShape of(const Rules& rules) {
    return {static_cast<uint8_t>(static_cast<uint8_t>(rules.algorithm) & 7),
            static_cast<uint8_t>((rules.limits.size() - 1) & 7), 0, 0};
  }
  constexpr Algorithm what() const { return static_cast<Algorithm>(algorithm); }
  constexpr size_t limits() const { return size_t{limits_less_one} + 1; }
  bool fits(const Rules& rules) const {
    return what() == rules.algorithm && limits() == rules.limits.size();
  }
};
static_assert(kLimitsPerPolicyMax <= 8);

struct KeyHeader : BlockLink {
  static constexpr size_t kStateBytes = 16;

  uint32_t touched_s;        // last used, in seconds since the epoch
  uint64_t rest;             // KeyHash::rest; with the tag in the index, 96 bits tell keys apart
  uint32_t refused_until_s;  // not before this is the client's next request admitted
  uint16_t policy;
  uint8_t revision;
  KeyShape shape;
  std::array<std::byte, kStateBytes> state;
};

struct KeyContinuation : BlockLink {
  static constexpr size_t kStateBytes = 36;

  std::array<std::byte, kStateBytes> state;
};

// Seconds as a key keeps them; in 2106 they stop, and from then on all keys look equally warm.
constexpr uint32_t whole_seconds(TimeUs time) {
  return static_cast<uint32_t>(std::clamp<int64_t>(time / 1'000'000, 0, UINT32_MAX));
}
constexpr uint32_t seconds_until(TimeUs now, int64_t wait_us) {
  return whole_seconds(std::min(now + wait_us, kTimeMaxUs) + 999'999);
}

// Packed<A>: a state of algorithm A as bytes. Most are copied as they are.
template <typename A>
struct Packed {
  static constexpr size_t kBytes = sizeof(typename A::State);
  static void pack(const typename A::State& state, std::byte* out) {
    std::memcpy(out, &state, kBytes);
  }
  static void unpack(const std::byte* in, typename A::State& state) {
    std::memcpy(&state, in, kBytes);
  }
};

template <>
struct Packed<Gcra> {
  static constexpr size_t kBytes = 12;
  static void pack(const Gcra::State& state, std::byte* out) {
    std::memcpy(out, &state.tat_us, 8);
    std::memcpy(out + 8, &state.tat_fraction, 4);
  }
  static void unpack(const std::byte* in, Gcra::State& state) {
    std::memcpy(&state.tat_us, in, 8);
    std::memcpy(&state.tat_fraction, in + 8, 4);
  }
};

// 48 bits of milliseconds and twice 40 bits of units, so that the key fits one block.
template <>
struct Packed<SlidingWindow> {
  static constexpr size_t kBytes = 16;
  static void pack(const SlidingWindow::State& state, std::byte* out) {
    const auto start = static_cast<uint64_t>(state.start_ms);
    const auto current = static_cast<uint64_t>(state.current);
    const auto previous = static_cast<uint64_t>(state.previous);
    assert(start >> 48 == 0 && current >> 40 == 0 && previous >> 40 == 0);
    const uint64_t words[2] = {start | current << 48, current >> 16 | previous << 24};
    std::memcpy(out, words, kBytes);
  }
  static void unpack(const std::byte* in, SlidingWindow::State& state) {
    uint64_t words[2];
    std::memcpy(words, in, kBytes);
    state.start_ms = static_cast<int64_t>(words[0] & 0xffff'ffff'ffff);
    state.current = static_cast<int64_t>(words[0] >> 48 | (words[1] & 0xff'ffff) << 16);
    state.previous = static_cast<int64_t>(words[1] >> 24);
  }
};

constexpr size_t packed_bytes(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::kGcra:
      return Packed<Gcra>::kBytes;
    case Algorithm::kTokenBucket:
      return Packed<TokenBucket>::kBytes;
    case Algorithm::kSlidingLog:
      return Packed<SlidingLog>::kBytes;
    case Algorithm::kSlidingWindow:
      return Packed<SlidingWindow>::kBytes;
    case Algorithm::kFixedWindow:
      return Packed<FixedWindow>::kBytes;
    case Algorithm::kConcurrency:
      return Packed<Concurrency>::kBytes;
  }
  return 0;
}

inline constexpr size_t kStatesBytesMax =
    kLimitsPerPolicyMax * packed_bytes(Algorithm::kTokenBucket);

// The blocks that a key of this shape takes, without entries and tickets.
constexpr size_t blocks_for(KeyShape shape) {
  const size_t bytes = packed_bytes(shape.what()) * shape.limits();
  if (bytes <= KeyHeader::kStateBytes) return 1;
  return 1 + (bytes - KeyHeader::kStateBytes + KeyContinuation::kStateBytes - 1) /
                 KeyContinuation::kStateBytes;
}

// Whether states of algorithm A have entries or tickets in further blocks.
template <typename A>
inline constexpr bool kHasEntries = std::is_same_v<A, SlidingLog> || std::is_same_v<A, Concurrency>;

// Calls with(A{}) for the algorithm's struct A.
template <typename With>
decltype(auto) with_algorithm(Algorithm algorithm, With&& with) {
  switch (algorithm) {
    case Algorithm::kTokenBucket:
      return with(TokenBucket{});
    case Algorithm::kSlidingLog:
      return with(SlidingLog{});
    case Algorithm::kSlidingWindow:
      return with(SlidingWindow{});
    case Algorithm::kFixedWindow:
      return with(FixedWindow{});
    case Algorithm::kConcurrency:
      return with(Concurrency{});
    case Algorithm::kGcra:
      break;
  }
  return with(Gcra{});
}

// Copies a key's packed states out of its blocks, or into them. REQUIRES: the key has blocks for
// them.
void read_states(const BlockStore& store, const KeyHeader& key, std::span<std::byte> out);
void write_states(BlockStore& store, KeyHeader& key, std::span<const std::byte> in);

template <typename A>
void load_states(const BlockStore& store, const KeyHeader& key,
                 std::span<typename A::State> states) {
  constexpr size_t kBytes = Packed<A>::kBytes;
  if (kBytes <= KeyHeader::kStateBytes && states.size() == 1) {
    return Packed<A>::unpack(key.state.data(), states[0]);
  }
  std::array<std::byte, kStatesBytesMax> bytes;
  read_states(store, key, {bytes.data(), kBytes * states.size()});
  for (size_t i = 0; i < states.size(); ++i) Packed<A>::unpack(&bytes[i * kBytes], states[i]);
}

template <typename A>
void store_states(BlockStore& store, KeyHeader& key, std::span<const typename A::State> states) {
  constexpr size_t kBytes = Packed<A>::kBytes;
  if (kBytes <= KeyHeader::kStateBytes && states.size() == 1) {
    return Packed<A>::pack(states[0], key.state.data());
  }
  std::array<std::byte, kStatesBytesMax> bytes;
  for (size_t i = 0; i < states.size(); ++i) Packed<A>::pack(states[i], &bytes[i * kBytes]);
  write_states(store, key, {bytes.data(), kBytes * states.size()});
}

}  // namespace toll::engine
