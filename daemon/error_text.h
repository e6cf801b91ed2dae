// A sentence for an error reply, put together in place: no allocation, and nothing a client sent
// gets into it unescaped or at any length.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <string_view>

namespace toll::daemon {

class ErrorText {
 public:
  ErrorText() = default;
  explicit ErrorText(std::string_view text) { add(text); }

  // Our own words; cut off where there is no more room.
  ErrorText& add(std::string_view text) {
    const size_t bytes = std::min(text.size(), text_.size() - size_);
    std::memcpy(text_.data() + size_, text.data(), bytes);
    size_ += bytes;
    return *this;
  }

  // A client's word, in single quotes: at most 48 bytes of it, what is not printable as \xHH.
  ErrorText& quote(std::string_view word) {
    static constexpr size_t kWordMax = 48;
    static constexpr std::string_view kDigits = "0123456789abcdef";
    add("'");
    for (const char c : word.substr(0, kWordMax)) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte >= 0x20 && byte < 0x7f && c != '\'' && c != '\\') {
        add(std::string_view(&c, 1));
      } else {
        const std::array<char, 4> hex = {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
        add(std::string_view(hex.data(), hex.size()));
      }
    }
    return add(word.size() > kWordMax ? "...'" : "'");
  }

  operator std::string_view() const { return {text_.data(), size_}; }  // implicit: it reads as text

 private:
  std::array<char, 512> text_;
  size_t size_ = 0;
};

}  // namespace toll::daemon
