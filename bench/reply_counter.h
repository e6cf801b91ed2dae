// How many replies came, and of what kind, from the bytes of a reply stream as cheaply as that can
// be known: the line framing by its lines' first and last words, RESP by skipping over values.
//
// One per connection, one thread; replies may be cut anywhere between two calls. Keeps the text of
// the first error and of a line that is cut, no more. Checks no figures inside of replies. A LIST
// counts as OK, and its rows as records.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "bench/request_script.h"

namespace toll::bench {

// The protocol's words for who answered, and of errors.
inline constexpr std::array<std::string_view, 8> kReplySources = {
    "redis", "lease", "cache", "local", "open", "closed", "journal", "spill"};
inline constexpr std::array<std::string_view, 9> kErrorCodes = {
    "BADREQ", "UNKNOWN", "NOPOLICY", "NOHOLD", "TOOLONG", "NOPERM", "BUSY", "UNAVAILABLE", "other"};

struct ReplyCounts {
  uint64_t allow = 0;
  uint64_t deny = 0;
  uint64_t ok = 0;
  uint64_t error = 0;
  uint64_t unknown = 0;  // begins like no reply we know
  uint64_t records = 0;  // rows of lists; in RESP those that are JSON objects
  uint64_t record_bytes = 0;
  std::array<uint64_t, kReplySources.size()> sources = {};  // of replies that name one, in order
  std::array<uint64_t, kErrorCodes.size()> codes = {};      // of errors, in order

  uint64_t total() const { return allow + deny + ok + error + unknown; }
  bool operator==(const ReplyCounts&) const = default;
};

ReplyCounts operator-(const ReplyCounts& later, const ReplyCounts& earlier);
ReplyCounts& operator+=(ReplyCounts& sum, const ReplyCounts& more);

class ReplyCounter {
 public:
  explicit ReplyCounter(Framing framing) : framing_(framing) {}

  // Counts into `counts` the replies that `bytes` complete, and says how many.
  uint32_t count(std::span<const char> bytes, ReplyCounts& counts);

  // The first ERR (or unknown) reply, cut short; "" if there was none.
  const std::string& first_error() const { return first_error_; }

 private:
  enum class State : uint8_t { kType, kNumber, kText, kBulk };

  uint32_t count_lines(std::span<const char> bytes, ReplyCounts& counts);
  uint32_t count_resp(std::span<const char> bytes, ReplyCounts& counts);
  void count_line(std::string_view line, ReplyCounts& counts);
  size_t count_row(std::string_view rest, ReplyCounts& counts);
  bool count_source(std::string_view word, ReplyCounts& counts);
  void count_error(std::string_view text, ReplyCounts& counts);
  void begin_value(char type);
  void end_number();
  bool end_value(ReplyCounts& counts);  // true when it was the reply's last
  void keep_error(std::string_view text);
  void keep_text(std::string_view part);

  Framing framing_;
  uint64_t rows_left_ = 0;  // line: of the list at hand
  size_t last_source_ = 0;  // most replies have the source of the one before
  // Line: the beginning of a line that is cut. RESP: that of the text at hand.
  std::string text_;
  // RESP: where in the reply we are.
  bool has_source_ = false;
  State state_ = State::kType;
  char type_ = 0;              // of the value at hand
  char reply_type_ = 0;        // of the reply's first value; 0 between replies
  int64_t elements_ = 0;       // of the reply, when it is an array
  char second_type_ = 0;       // of the reply's first element
  int64_t first_number_ = -1;  // of the reply's first integer element
  int64_t number_ = 0;
  bool negative_ = false;
  int64_t values_left_ = 0;  // until the reply is complete
  int64_t bulk_left_ = 0;    // bytes, with the line end
  std::string first_error_;
};

}  // namespace toll::bench
