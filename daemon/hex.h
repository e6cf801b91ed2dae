// Bytes as hexadecimal digits. Pure; any thread.
#pragma once

#include <span>
#include <string>

namespace toll::daemon {

inline std::string hex_of(std::span<const unsigned char> bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const unsigned char byte : bytes) text += {kDigits[byte >> 4], kDigits[byte & 15]};
  return text;
}

}  // namespace toll::daemon
