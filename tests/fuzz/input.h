// The bytes of a fuzz input as choices, for targets that make something of them: each taken from
// the front. An input that has ended goes on as zeros, so that any bytes are an input.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace toll::fuzz {

class Input {
 public:
  Input(const uint8_t* data, size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  bool at_end() const { return rest_.empty(); }

  uint8_t byte() {
    const std::string_view taken = text(1);
    return taken.empty() ? uint8_t{0} : static_cast<uint8_t>(taken.front());
  }

  // One byte's worth of choice. REQUIRES: 0 < choices.
  uint64_t below(uint64_t choices) { return byte() % choices; }

  // A number of that many bytes, the lowest first. REQUIRES: bytes <= 8.
  uint64_t number(size_t bytes) {
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; ++i) value |= uint64_t{byte()} << (8 * i);
    return value;
  }

  // The next bytes, or what is left of them; a view of the input.
  std::string_view text(size_t bytes) {
    const std::string_view taken = rest_.substr(0, bytes);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  std::string_view rest() { return text(rest_.size()); }

 private:
  std::string_view rest_;
};

}  // namespace toll::fuzz
