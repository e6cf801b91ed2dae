// What tests and fuzz targets say of every input.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace toll {

// Aborts, so that fuzzers and sanitizers see it, where a promise that holds for every input does
// not.
inline void require(bool holds, const char* promise) {
  if (holds) return;
  std::fprintf(stderr, "broken promise: %s\n", promise);
  std::abort();
}

}  // namespace toll
