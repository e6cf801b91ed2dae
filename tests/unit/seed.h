// The seed of a random test, which prints it: what TOLL_SEED says, to replay a failure.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace toll {

// `usual` where TOLL_SEED says nothing.
inline uint64_t test_seed(uint64_t usual) {
  const char* const given = std::getenv("TOLL_SEED");
  return given == nullptr ? usual : std::strtoull(given, nullptr, 10);
}

}  // namespace toll
