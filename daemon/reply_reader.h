// From bytes to replies, on a client's side: the line framing's answers, a LIST with its rows.
//
// One per connection, one thread. Keeps the bytes of replies that are not whole yet, bounded; what
// it cannot take for a reply is an error, because where the next one begins is then unknown.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace toll::daemon {

// The longest line and the largest reply a client takes; a daemon's own bounds are below.
inline constexpr size_t kReplyLineMax = size_t{16} << 20;
inline constexpr size_t kReplyBytesMax = size_t{64} << 20;
inline constexpr size_t kReplyRowsMax = 1'000'000;

enum class ReplyKind : uint8_t { kOk, kAllow, kDeny, kList, kError, kEvent };

// Views into the reader; valid until it is next used.
struct Reply {
  ReplyKind kind = ReplyKind::kOk;
  std::string_view line;               // the first line, without its end
  std::vector<std::string_view> rows;  // of a LIST, without their ends
};

class ReplyReader {
 public:
  // Bytes that came, in any pieces.
  void append(std::string_view bytes);

  // The next whole reply, or nothing yet. Errors: a sentence; the reader is of no use after one.
  std::expected<std::optional<Reply>, std::string> next();

 private:
  // A line of the reply at hand, by offsets: appending moves the bytes.
  struct Line {
    size_t begin;
    size_t end;
  };
  // Finds the end of the line that begins at line_begin_. False: not there yet.
  std::expected<bool, std::string> find_line();
  std::expected<void, std::string> read_head();
  void drop_taken();

  std::string bytes_;
  size_t taken_ = 0;       // bytes of replies already handed out
  size_t line_begin_ = 0;  // of the first line that is not whole
  size_t scanned_ = 0;     // up to here there is no line end
  ReplyKind kind_ = ReplyKind::kOk;
  size_t rows_left_ = 0;
  std::vector<Line> lines_;  // of the reply at hand: its head and its rows
};

// A word of a line; one that was quoted is never a number.
struct Word {
  std::string text;
  bool quoted = false;

  bool operator==(const Word&) const = default;
};

// The words of a line, quoted ones unescaped as in a request. Never fails: what is not properly
// quoted is taken as it stands.
std::vector<Word> split_words(std::string_view line);

}  // namespace toll::daemon
