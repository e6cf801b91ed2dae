// A figure of the published comparison: what it is called, what is wanted of it, what was measured.
//
// Plain values; any thread.
#pragma once

#include <cstdint>
#include <string>

namespace toll::bench {

enum class Unit : uint8_t { kPercent, kTimes, kRate, kMicroseconds, kNanoseconds, kBytes, kNumber };

// The value as people read it: "61.5 %" of 0.615, "3.2 x", "1.5 M/s", "113.0 us".
std::string figure_text(double value, Unit unit);

enum class Side : uint8_t { kAny, kAtLeast, kAtMost };
struct Wanted {
  Side side = Side::kAny;
  double value = 0;
};
constexpr Wanted at_least(double value) {
  return {Side::kAtLeast, value};
}
constexpr Wanted at_most(double value) {
  return {Side::kAtMost, value};
}
inline constexpr Wanted kAsItIs = {};

struct Figure {
  std::string name;
  Unit unit = Unit::kNumber;
  Wanted wanted;
  double measured = 0;

  bool met() const;                 // also where nothing is wanted
  std::string wanted_text() const;  // "at least 60.0 %"; "" where nothing is
  std::string json() const;
};

}  // namespace toll::bench
