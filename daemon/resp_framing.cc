#include <algorithm>
#include <cassert>
#include <cstdint>

#include "daemon/framing.h"

namespace toll::daemon {

namespace {

// No length needs more than 10 digits; it also keeps the sum of digits far from overflow.
constexpr size_t kLengthMax = 9'999'999'999;
static_assert(kLineMax <= kLengthMax);

// How far a request that is not all there has come: where its next element begins, and how many are
// missing. Packed into the caller's hint, where 0 is "at the start": no element begins at 0.
struct Progress {
  size_t at = 0;
  size_t missing = 0;

  static Progress unpack(size_t hint) { return {hint & UINT32_MAX, hint >> 32}; }
  size_t pack() const { return missing << 32 | at; }
};
static_assert(sizeof(size_t) == 8 && kWordsMax <= UINT32_MAX);

enum class Step : uint8_t { kDone, kShort, kWrong, kTooLarge };

// Reads `<type><digits>\r\n` at `at` and moves `at` past it; on kWrong and kTooLarge past the first
// byte that cannot be. A number is too large as soon as it exceeds `bound`.
Step read_length(std::span<const char> bytes, size_t& at, char type, size_t bound, size_t& length) {
  const auto take = [&](char wanted) {
    if (at == bytes.size()) return Step::kShort;
    return bytes[at++] == wanted ? Step::kDone : Step::kWrong;
  };
  if (const Step step = take(type); step != Step::kDone) return step;
  const size_t first_digit = at;
  length = 0;
  for (;; ++at) {
    if (at == bytes.size()) return Step::kShort;
    const size_t digit = static_cast<unsigned char>(bytes[at]) - size_t{'0'};
    if (digit > 9) break;
    // As in Redis, a number has one spelling: 0 is followed by no digit.
    const bool after_zero = length == 0 && at > first_digit;
    length = length * 10 + digit;
    if (after_zero || length > bound) {
      ++at;
      return after_zero ? Step::kWrong : Step::kTooLarge;
    }
  }
  if (at == first_digit) {
    ++at;
    return Step::kWrong;
  }
  if (const Step step = take('\r'); step != Step::kDone) return step;
  return take('\n');
}

Frame fatal(size_t consumed, std::string_view message, ErrorCode code = ErrorCode::kBadRequest) {
  return {.kind = Frame::Kind::kFatal,
          .framing = Framing::kResp,
          .code = code,
          .consumed = consumed,
          .message = message};
}

Frame too_long(size_t consumed) {
  return fatal(consumed, "the request is longer than the server takes", ErrorCode::kTooLong);
}

Frame resp_frame(Frame::Kind kind, size_t consumed) {
  return {.kind = kind,
          .framing = Framing::kResp,
          .code = ErrorCode::kBadRequest,
          .consumed = consumed,
          .message = {}};
}

// Reads one bulk string at `at` and moves `at` past it. False, with `frame` saying why, if it is
// not all there or wrong.
bool read_bulk(std::span<const char> bytes, size_t request_max, size_t& at, std::string_view& word,
               Frame& frame) {
  size_t length = 0;
  const size_t begin = at;
  const Step step = read_length(bytes, at, '$', std::min(request_max, kLengthMax), length);
  if (step == Step::kShort) return false;
  if (step == Step::kWrong) {
    const bool type = at == begin + 1;
    frame = fatal(at, type ? "expected a bulk string" : "bad length of a bulk string");
    return false;
  }
  const size_t data = at;
  if (step == Step::kTooLarge || length + 2 > request_max - data) {
    frame = too_long(at);
    return false;
  }
  at += length;
  for (const char wanted : {'\r', '\n'}) {
    if (at >= bytes.size()) return false;
    if (bytes[at++] == wanted) continue;
    frame = fatal(at, "a bulk string is longer than its length says");
    return false;
  }
  word = {bytes.data() + data, length};
  return true;
}

// Reads on from `progress`, and brings it up to date where the request is cut short. The words of
// elements before it are left as they are.
Frame read_array(std::span<const char> bytes, size_t request_max, Progress& progress,
                 Words& words) {
  size_t at = 0;
  switch (read_length(bytes, at, '*', kWordsMax, words.count)) {
    case Step::kDone:
      break;
    case Step::kShort:
      return resp_frame(Frame::Kind::kIncomplete, 0);
    case Step::kWrong:
      return fatal(at, "bad length of an array");
    case Step::kTooLarge:
      return fatal(at, "too many words");
  }
  if (words.count == 0) return resp_frame(Frame::Kind::kNothing, at);
  if (progress.at == 0) progress = {at, words.count};
  at = progress.at;
  Frame frame = resp_frame(Frame::Kind::kIncomplete, 0);
  while (progress.missing != 0) {
    const size_t index = words.count - progress.missing;
    if (!read_bulk(bytes, request_max, at, words.word[index], frame)) return frame;
    progress = {at, progress.missing - 1};
  }
  return resp_frame(Frame::Kind::kRequest, at);
}

}  // namespace

Frame read_resp_frame(std::span<char> input, size_t request_max, size_t& scanned, Words& words) {
  assert(!input.empty() && input.front() == '*');
  assert(request_max <= UINT32_MAX);
  const std::span<const char> window = input.first(std::min(input.size(), request_max));
  Progress progress = Progress::unpack(scanned);
  Frame frame = read_array(window, request_max, progress, words);
  if (frame.kind == Frame::Kind::kIncomplete) {
    if (window.size() < request_max) {
      scanned = progress.pack();
      return frame;
    }
    frame = too_long(request_max);
  }
  if (frame.kind == Frame::Kind::kRequest && scanned != 0) {
    // The words read by earlier calls pointed into bytes that may have moved since.
    progress = {};
    frame = read_array(window, request_max, progress, words);
  }
  scanned = 0;
  return frame;
}

}  // namespace toll::daemon
