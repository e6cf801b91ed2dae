// Replies made of figures: numbers, a source, a ticket, written in one reserved piece of output.
//
// The reply writer's own, and the reason a decision costs little: no length is computed twice, no
// digit costs a branch, nothing is copied. Used on the session's thread; keeps nothing.
#pragma once

#include <array>
#include <bit>
#include <cassert>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <span>
#include <string_view>

#include "daemon/framing.h"
#include "daemon/reply_writer.h"
#include "engine/types.h"
#include "net/output_buffer.h"

namespace toll::daemon {

// The longest reply made of figures: a first word, five numbers, a source, a ticket, each with what
// RESP puts around it.
inline constexpr size_t kFiguresMax = 256;
inline constexpr size_t kNumberMax = 20;  // "-9223372036854775808"
static_assert(kFiguresMax <= net::kOutputPieceMax);

template <size_t kSize>
char* put(char* at, const char (&text)[kSize]) {
  std::memcpy(at, text, kSize - 1);
  return at + kSize - 1;
}

// The decimal digits of `value`, which is below 10^8, one in each byte, the first in the lowest:
// halves are split into halves, all at once in the lanes of one word, with division as a
// multiplication by a rounded reciprocal that is exact for numbers this small.
inline uint64_t digits_of(uint64_t value) {
  uint64_t lanes = value / 10'000 | (value % 10'000) << 32;
  uint64_t high = (lanes * 10'486 >> 20) & 0x0000'007f'0000'007f;
  lanes = high | (lanes - high * 100) << 16;
  high = (lanes * 103 >> 10) & 0x000f'000f'000f'000f;
  return high | (lanes - high * 10) << 8;
}

[[gnu::noinline]] inline char* put_any_number(char* at, int64_t value) {
  return std::to_chars(at, at + kNumberMax, value).ptr;
}

// Figures are mostly small and their lengths vary, so that a loop over digits costs a mispredicted
// branch each time; here all of 1 to 8 digits take the same way. Writes up to kNumberMax bytes, of
// which those past the returned end mean nothing.
inline char* put_number(char* at, int64_t value) {
  if (static_cast<uint64_t>(value) >= 100'000'000) [[unlikely]] {
    return put_any_number(at, value);
  }
  const uint64_t digits = digits_of(static_cast<uint64_t>(value));
  constexpr uint64_t kLastDigit = uint64_t{1} << 56;  // 0 has a digit too
  const int zeros = std::countr_zero(digits | kLastDigit) / 8;
  uint64_t text = (digits | 0x3030'3030'3030'3030) >> 8 * zeros;
  if constexpr (std::endian::native == std::endian::big) text = __builtin_bswap64(text);
  std::memcpy(at, &text, sizeof(text));
  return at + 8 - zeros;
}

inline char* put_count(char* at, uint64_t value) {
  return std::to_chars(at, at + kNumberMax, value).ptr;
}

// A source as a field, ready to be copied whole: a copy of known size is one instruction.
struct SourceText {
  std::array<char, 16> bytes{};
  uint8_t size = 0;

  consteval SourceText(Framing framing, engine::Source source) {
    const std::string_view name = engine::to_string(source);
    if (framing == Framing::kLine) {
      add(" ");
      add(name);
      return;
    }
    const char digit = static_cast<char>('0' + name.size());
    add("$");
    add({&digit, 1});
    add("\r\n");
    add(name);
    add("\r\n");
  }
  consteval void add(std::string_view text) {
    for (const char byte : text) bytes[size++] = byte;
  }
};

template <Framing kFraming>
inline constexpr SourceText kSourceTexts[] = {
    {kFraming, engine::Source::kRedis}, {kFraming, engine::Source::kLease},
    {kFraming, engine::Source::kCache}, {kFraming, engine::Source::kLocal},
    {kFraming, engine::Source::kOpen},  {kFraming, engine::Source::kClosed},
};

static_assert(std::size(kSourceTexts<Framing::kLine>) ==
              static_cast<size_t>(engine::Source::kClosed) + 1);

// A reply made of figures, in one reserved piece: in line framing one line, its fields set apart by
// blanks; in RESP an array.
class Figures {
 public:
  Figures(net::OutputBuffer& out, Framing framing)
      : out_(out),
        resp_(framing == Framing::kResp),
        begin_(out.reserve(kFiguresMax)),
        at_(begin_) {}

  // Before all fields; says nothing in line framing. At most 9 fields.
  void array_of(size_t fields) {
    assert(fields < 10);
    if (!resp_) return;
    at_ = put(at_, "*0\r\n");
    at_[-3] = static_cast<char>('0' + fields);
  }
  // The first word of a line; RESP has none, or a number of its own.
  template <size_t kSize>
  void verdict(const char (&line)[kSize]) {
    if (!resp_) at_ = put(at_, line);
  }
  // Inlined by order: only then does at_ stay in a register between the fields.
  [[gnu::always_inline]] void number(int64_t value) {
    separate(':');
    at_ = put_number(at_, value);
    if (resp_) at_ = put(at_, "\r\n");
  }
  // REQUIRES: a line has its first field already.
  void source(engine::Source source) {
    const auto index = static_cast<size_t>(source);
    const SourceText& text =
        resp_ ? kSourceTexts<Framing::kResp>[index] : kSourceTexts<Framing::kLine>[index];
    std::memcpy(at_, text.bytes.data(), text.bytes.size());
    at_ += text.size;
  }
  void ticket(uint64_t ticket) {
    separate('$');
    if (resp_) at_ = put(at_, "16\r\n");
    static_assert(kTicketDigits == 16);
    format_ticket(ticket, std::span<char, kTicketDigits>(at_, kTicketDigits));
    at_ += kTicketDigits;
    if (resp_) at_ = put(at_, "\r\n");
  }
  void finish() {
    if (!resp_) *at_++ = '\n';
    assert(at_ <= begin_ + kFiguresMax);
    out_.commit(static_cast<size_t>(at_ - begin_));
  }

 private:
  void separate(char resp_type) {
    if (resp_) {
      *at_++ = resp_type;
    } else if (at_ != begin_) {
      *at_++ = ' ';
    }
  }

  net::OutputBuffer& out_;
  const bool resp_;
  char* const begin_;
  char* at_;
};

}  // namespace toll::daemon
