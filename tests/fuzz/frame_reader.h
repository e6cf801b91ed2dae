// Reads frames as a session does, for tests and fuzz targets: bytes come in pieces, what is not yet
// a whole request is kept, and reading stops at a fatal fault.
//
// Aborts where read_frame breaks a promise that holds for every input. The bytes are read from heap
// memory of exactly their size, so that the address sanitizer sees a read past the end.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/framing.h"
#include "tests/fuzz/require.h"

namespace toll::daemon {

// What one request came to.
struct ReadFrame {
  Frame::Kind kind = Frame::Kind::kIncomplete;
  Framing framing = Framing::kLine;
  ErrorCode code = ErrorCode::kBadRequest;
  size_t consumed = 0;
  std::string message;
  std::vector<std::string> words;

  bool operator==(const ReadFrame&) const = default;
};

class FrameReader {
 public:
  explicit FrameReader(size_t request_max = 65'536) : request_max_(request_max) {}

  void feed(std::string_view piece) {
    if (closed_) return;
    unread_ += piece;
    const auto bytes = std::make_unique<char[]>(unread_.size());
    std::ranges::copy(unread_, bytes.get());
    std::span<char> rest(bytes.get(), unread_.size());
    while (!rest.empty() && !closed_) {
      const size_t consumed = read_one(rest);
      if (consumed == 0) break;
      rest = rest.subspan(consumed);
    }
    unread_.erase(0, closed_ ? unread_.size() : unread_.size() - rest.size());
  }

  const std::vector<ReadFrame>& frames() const { return frames_; }
  const std::string& unread() const { return unread_; }

 private:
  size_t read_one(std::span<char> input) {
    const Frame frame = read_frame(input, request_max_, scanned_, words_);
    if (frame.kind == Frame::Kind::kIncomplete) {
      require(frame.consumed == 0, "an incomplete request consumes nothing");
      require(input.size() < request_max_, "request_max bytes are never incomplete");
      return 0;
    }
    require(scanned_ == 0, "the hint is for one request");
    require(frame.consumed > 0 && frame.consumed <= input.size(), "consumed lies in the input");
    require(frame.consumed <= request_max_, "no request takes more than request_max");
    ReadFrame read{.kind = frame.kind,
                   .framing = frame.framing,
                   .code = frame.code,
                   .consumed = frame.consumed,
                   .message = std::string(frame.message),
                   .words = {}};
    const bool faulty = frame.kind == Frame::Kind::kMalformed || frame.kind == Frame::Kind::kFatal;
    require(faulty != frame.message.empty(), "a fault has a message and nothing else has");
    if (frame.kind == Frame::Kind::kRequest) read.words = take_words(input.first(frame.consumed));
    closed_ = frame.kind == Frame::Kind::kFatal;
    frames_.push_back(std::move(read));
    return frame.consumed;
  }

  std::vector<std::string> take_words(std::span<const char> request) {
    require(words_.count >= 1 && words_.count <= kWordsMax, "a request has 1 to kWordsMax words");
    const char* free = request.data();
    const char* const end = request.data() + request.size();
    std::vector<std::string> words;
    for (size_t index = 0; index < words_.count; ++index) {
      const std::string_view word = words_[index];
      const bool inside = std::less_equal<>()(free, word.data()) &&
                          std::less_equal<>()(word.data() + word.size(), end);
      require(inside, "words lie in their request, in order");
      free = word.data() + word.size();
      words.emplace_back(word);
    }
    return words;
  }

  const size_t request_max_;
  std::string unread_;
  std::vector<ReadFrame> frames_;
  Words words_;
  size_t scanned_ = 0;
  bool closed_ = false;
};

}  // namespace toll::daemon
