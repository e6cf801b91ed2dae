#include <algorithm>
#include <bit>
#include <cassert>
#include <cstdint>
#include <cstring>

#include "daemon/framing.h"

namespace toll::daemon {

namespace {

bool is_blank(char byte) {
  return byte == ' ' || byte == '\t';
}

template <typename Char>
Char* past_blanks(Char* at, const char* end) {
  while (at != end && is_blank(*at)) ++at;
  return at;
}

uint64_t load_8(const char* at) {
  uint64_t bytes = 0;
  std::memcpy(&bytes, at, sizeof(bytes));
  return std::endian::native == std::endian::little ? bytes : __builtin_bswap64(bytes);
}

// One past the last byte of the unquoted word at `at`, in a line that ends at `end`. Bytes up to
// `readable` may be looked at, so that most words take one step of 8 bytes whatever their length: a
// branch per byte would be mispredicted once per word.
// REQUIRES: *end is \r or \n, so that no step passes it.
char* word_end(char* at, const char* end, const char* readable) {
  constexpr uint64_t kOnes = ~uint64_t{0} / 255;
  while (readable - at >= 8) {
    const uint64_t bytes = load_8(at);
    // The high bit of every byte up to ' '; right at least for the lowest one.
    const uint64_t low = (bytes - kOnes * (' ' + 1)) & ~bytes & kOnes * 0x80;
    if (low == 0) {
      at += 8;
      continue;
    }
    at += std::countr_zero(low) / 8;
    if (at == end || is_blank(*at)) return at;
    ++at;  // another control byte is part of the word
  }
  while (at != end && !is_blank(*at)) ++at;
  return at;
}

// Whether [at, end) begins with `word`, in any case, and the word ends there. `word` is lower case.
bool begins_with_word(const char* at, const char* end, std::string_view word) {
  if (static_cast<size_t>(end - at) < word.size()) return false;
  for (const char letter : word) {
    if ((*at++ | 0x20) != letter) return false;
  }
  return at == end || is_blank(*at);
}

// Splits the line [at, end) if it is a LOG PUSH with a record. Not inlined: what other requests
// pass through stays as small as it was.
[[gnu::noinline]] bool split_log_push(const char* at, const char* end, Words& words) {
  constexpr std::string_view kLog = "log";
  constexpr std::string_view kPush = "push";
  if (!begins_with_word(at, end, kLog)) return false;
  const char* const push = past_blanks(at + kLog.size(), end);
  if (!begins_with_word(push, end, kPush)) return false;
  const char* const blank = push + kPush.size();
  if (end - blank <= 1) return false;
  words.word[0] = {at, kLog.size()};
  words.word[1] = {push, kPush.size()};
  words.word[2] = {blank + 1, end};
  words.count = 3;
  return true;
}

int hex_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

// Reads what follows a backslash: `at` is before `end`. Writes the byte it stands for. Returns how
// many bytes it took, 0 if there is no such escape.
size_t unescape(const char* at, const char* end, char& byte) {
  switch (*at) {
    case '"':
    case '\\':
      byte = *at;
      return 1;
    case 'n':
      byte = '\n';
      return 1;
    case 'r':
      byte = '\r';
      return 1;
    case 't':
      byte = '\t';
      return 1;
    case 'x': {
      if (end - at < 3) return 0;
      const int high = hex_value(at[1]);
      const int low = hex_value(at[2]);
      if (high < 0 || low < 0) return 0;
      byte = static_cast<char>(high * 16 + low);
      return 3;
    }
    default:
      return 0;
  }
}

struct Quoted {
  std::string_view word;
  char* next = nullptr;  // one past the closing quote; null if there is a fault
  std::string_view fault;
};

// Unescapes the quoted word whose opening quote is at `open`, in place: it only ever gets shorter.
Quoted read_quoted(char* open, const char* end) {
  char* const word = open + 1;
  char* out = word;
  char* at = word;
  while (at != end && *at != '"') {
    if (*at != '\\') {
      *out++ = *at++;
      continue;
    }
    if (++at == end) break;
    const size_t taken = unescape(at, end, *out);
    if (taken == 0) return {.word = {}, .fault = "unknown escape in a quoted word"};
    at += taken;
    ++out;
  }
  if (at == end) return {.word = {}, .fault = "unterminated quote"};
  ++at;
  if (at != end && !is_blank(*at)) {
    return {.word = {}, .fault = "a blank must follow a closing quote"};
  }
  return {.word = {word, static_cast<size_t>(out - word)}, .next = at, .fault = {}};
}

Frame line_frame(Frame::Kind kind, size_t consumed, std::string_view message = {}) {
  return {.kind = kind,
          .framing = Framing::kLine,
          .code = ErrorCode::kBadRequest,
          .consumed = consumed,
          .message = message};
}

// Splits the line [at, end), its line end left out; bytes up to `readable` may be looked at.
// REQUIRES: as word_end().
Frame split(char* at, const char* end, const char* readable, size_t consumed, Words& words) {
  at = past_blanks(at, end);
  // One byte to look at, so that other requests pay nothing for this one.
  if ((*at | 0x20) == 'l' && split_log_push(at, end, words)) [[unlikely]] {
    return line_frame(Frame::Kind::kRequest, consumed);
  }
  size_t count = 0;
  for (; at != end; at = past_blanks(at, end)) {
    if (count == kWordsMax) {
      return line_frame(Frame::Kind::kMalformed, consumed, "too many words");
    }
    if (*at == '"') [[unlikely]] {
      const Quoted quoted = read_quoted(at, end);
      if (quoted.next == nullptr) {
        return line_frame(Frame::Kind::kMalformed, consumed, quoted.fault);
      }
      words.word[count++] = quoted.word;
      at = quoted.next;
      continue;
    }
    const char* const word = at;
    at = word_end(at, end, readable);
    words.word[count++] = {word, static_cast<size_t>(at - word)};
  }
  words.count = count;
  return line_frame(count == 0 ? Frame::Kind::kNothing : Frame::Kind::kRequest, consumed);
}

}  // namespace

Frame read_line_frame(std::span<char> input, size_t request_max, size_t& scanned, Words& words) {
  assert(!input.empty());
  char* const begin = input.data();
  const size_t window = std::min(input.size(), request_max);
  assert(scanned <= window);
  char* const newline = static_cast<char*>(std::memchr(begin + scanned, '\n', window - scanned));
  if (newline == nullptr) {
    if (window < request_max) {
      scanned = window;
      return {};
    }
    scanned = 0;
    return {.kind = Frame::Kind::kFatal,
            .framing = Framing::kLine,
            .code = ErrorCode::kTooLong,
            .consumed = window,
            .message = "the line is longer than the server takes"};
  }
  scanned = 0;
  const char* const end = newline > begin && newline[-1] == '\r' ? newline - 1 : newline;
  return split(begin, end, begin + input.size(), static_cast<size_t>(newline - begin) + 1, words);
}

}  // namespace toll::daemon
