// From bytes to requests: the line framing and the RESP framing of the protocol, told apart by a
// request's first byte.
//
// Stateless but for a hint: the caller keeps the bytes, hands in what it has, and is told how many
// of them the next request took. Words point into those bytes; quoted words are unescaped in place.
// No allocation, no copies. Of verbs it knows one, LOG PUSH, whose last word is the rest of a line.
// Any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "daemon/limits.h"

namespace toll::daemon {

enum class Framing : uint8_t { kLine, kResp };

// The error codes of the protocol.
enum class ErrorCode : uint8_t {
  kBadRequest,
  kUnknown,
  kNoPolicy,
  kNoHold,
  kTooLong,
  kNoPermission,
  kBusy,
  kUnavailable
};
std::string_view to_string(ErrorCode code);  // "BADREQ", ...

struct Words {
  std::array<std::string_view, kWordsMax> word;
  size_t count = 0;

  std::string_view operator[](size_t index) const { return word[index]; }
  std::span<const std::string_view> arguments() const {
    return std::span(word).subspan(1, count - 1);
  }
};

struct Frame {
  enum class Kind : uint8_t {
    kRequest,     // words holds a request of at least one word
    kNothing,     // an empty line, or an empty array: consumed, no reply
    kIncomplete,  // more bytes are needed; nothing was consumed
    kMalformed,   // consumed; answer `code` and `message` and go on
    // Answer `code` and `message`, then close: where the next request begins is unknown. consumed
    // tells where the fault is: one past the byte that was wrong or too many.
    kFatal,
  };
  Kind kind = Kind::kIncomplete;
  Framing framing = Framing::kLine;
  ErrorCode code = ErrorCode::kBadRequest;
  size_t consumed = 0;
  std::string_view message;  // static text
};

// Reads one request from the front of `input`.
//   request_max  the most bytes one request may take, in either framing and with its line end; past
//                it: kFatal TOOLONG. At most UINT32_MAX.
//   scanned      in and out, and opaque: how far an earlier call on the same request, which ended
//                in kIncomplete, has come; 0 for a new request. Keeps a client that sends a byte
//                at a time from costing the square of its request. Reset to 0 with every other
//                outcome. The bytes may have moved between the calls.
// Line: words separated by blanks (space, tab), ended by \n, a \r before it ignored. A word that
// begins with a double quote ends at the next unescaped one, which a blank or the end must follow;
// escapes \" \\ \n \r \t \xHH; anything else is kMalformed, as are more than kWordsMax words.
// Every other byte, a NUL or a quote inside a word included, is part of a word.
// Line, LOG PUSH: a line whose first two words are these, in any case and not quoted, has three at
// most. One blank ends PUSH; the record is all that follows it up to the line's end, as it stands:
// more blanks are part of it, quotes and backslashes mean nothing. Where nothing follows there is
// no record, and the words are two.
// RESP: an array of bulk strings. A length that is negative, not a plain number or too large,
// another type than '$', or a missing \r\n is kFatal, as soon as the first wrong byte is there.
// "*0" is kNothing.
Frame read_frame(std::span<char> input, size_t request_max, size_t& scanned, Words& words);

// The two halves that read_frame chooses from, for its use and for benchmarks.
// REQUIRES: input is not empty; for RESP, begins with '*'.
Frame read_line_frame(std::span<char> input, size_t request_max, size_t& scanned, Words& words);
Frame read_resp_frame(std::span<char> input, size_t request_max, size_t& scanned, Words& words);

}  // namespace toll::daemon
