#include "bench/figure.h"

#include <fmt/format.h>

#include "bench/report.h"

namespace toll::bench {

std::string figure_text(double value, Unit unit) {
  switch (unit) {
    case Unit::kPercent:
      return fmt::format("{:.3g} %", value * 100);
    case Unit::kTimes:
      return fmt::format("{:.3g} x", value);
    case Unit::kRate:
      return fmt::format("{}/s", count_text(value));
    case Unit::kMicroseconds:
      return fmt::format("{:.1f} us", value);
    case Unit::kNanoseconds:
      return fmt::format("{:.0f} ns", value);
    case Unit::kBytes:
      return fmt::format("{:.1f} bytes", value);
    case Unit::kNumber:
      return fmt::format("{:.3g}", value);
  }
  return "";
}

bool Figure::met() const {
  switch (wanted.side) {
    case Side::kAny:
      return true;
    case Side::kAtLeast:
      return measured >= wanted.value;
    case Side::kAtMost:
      return measured <= wanted.value;
  }
  return false;
}

std::string Figure::wanted_text() const {
  if (wanted.side == Side::kAny) return "";
  return fmt::format("{} {}", wanted.side == Side::kAtLeast ? "at least" : "at most",
                     figure_text(wanted.value, unit));
}

std::string Figure::json() const {
  std::string out = fmt::format("{{\"name\":{},\"measured\":{:.6g},\"text\":{}", json_string(name),
                                measured, json_string(figure_text(measured, unit)));
  if (wanted.side != Side::kAny) {
    out += fmt::format(",\"{}\":{:.6g},\"met\":{}",
                       wanted.side == Side::kAtLeast ? "at_least" : "at_most", wanted.value, met());
  }
  return out + '}';
}

}  // namespace toll::bench
