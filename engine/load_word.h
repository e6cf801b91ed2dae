// Eight bytes from anywhere as one number, as they lie in memory: one instruction on our machines.
#pragma once

#include <cstdint>
#include <cstring>

namespace toll::engine {

// REQUIRES: eight readable bytes, aligned or not.
inline uint64_t load_word(const char* bytes) {
  uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

}  // namespace toll::engine
