#include "daemon/human_text.h"

#include <array>
#include <cmath>
#include <fmt/format.h>

namespace toll::daemon {

std::string count_text(double count) {
  constexpr std::array<std::string_view, 5> kUnits = {"", "k", "M", "G", "T"};
  size_t unit = 0;
  // Rounded first, so that 999.6 becomes 1.0k and not 1000.
  while (std::round(count * (unit == 0 ? 1 : 10)) >= (unit == 0 ? 1'000 : 10'000) &&
         unit + 1 < kUnits.size()) {
    count /= 1'000;
    ++unit;
  }
  return unit == 0 ? fmt::format("{:.0f}", count) : fmt::format("{:.1f}{}", count, kUnits[unit]);
}

std::string bytes_text(uint64_t bytes) {
  constexpr std::array<std::string_view, 6> kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  auto size = static_cast<double>(bytes);
  size_t unit = 0;
  while (size >= 1'024 && unit + 1 < kUnits.size()) {
    size /= 1'024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", size, kUnits[unit]);
}

std::string time_text_us(uint64_t time_us) {
  if (time_us < 1'000) return fmt::format("{}us", time_us);
  const auto time = static_cast<double>(time_us);
  return time_us < 1'000'000 ? fmt::format("{:g}ms", time / 1e3) : fmt::format("{:g}s", time / 1e6);
}

std::string lasted_text(uint64_t seconds) {
  if (seconds < 60) return fmt::format("{}s", seconds);
  if (seconds < 3'600) return fmt::format("{}m {}s", seconds / 60, seconds % 60);
  if (seconds < 86'400) return fmt::format("{}h {}m", seconds / 3'600, seconds / 60 % 60);
  return fmt::format("{}d {}h", seconds / 86'400, seconds / 3'600 % 24);
}

std::string printable(std::string_view text) {
  std::string out(text);
  for (char& byte : out) {
    if (byte < 0x20 || byte > 0x7e) byte = '?';
  }
  return out;
}

}  // namespace toll::daemon
