// From answers to bytes: each reply in the framing its request came in.
//
// Writes straight into a stream's output buffer; allocates nothing beyond that buffer's chunks.
// Used on the session's thread. The shapes are the protocol's; in RESP: a decision is an array
// whose first element is 1 or 0; OK alone is +OK, OK with one number an integer, with one text a
// simple string, with several values an array; a LIST is an array, whose rows of several fields are
// arrays themselves. A reply that is one line stays one: a line break inside a text becomes a
// blank.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "daemon/framing.h"
#include "engine/types.h"
#include "net/output_buffer.h"

namespace toll::daemon {

// Fields a decision has beside the four figures and the source.
struct DecisionExtras {
  int32_t position = -1;  // of the limit described, in a CHECK of several; -1: not said
  uint64_t ticket = 0;    // ACQUIRE that was admitted; 0: not said
};

// A ticket as clients see it: 16 hexadecimal digits.
inline constexpr size_t kTicketDigits = 16;
void format_ticket(uint64_t ticket, std::span<char, kTicketDigits> out);
// 0 if `text` is not a ticket.
uint64_t parse_ticket(std::string_view text);

class ReplyWriter {
 public:
  ReplyWriter(net::OutputBuffer& out, Framing framing) : out_(out), framing_(framing) {}

  void ok();                            // OK
  void ok(int64_t value);               // OK 7
  void ok(std::string_view text);       // OK pong (RESP: +pong); the text is ours, not a client's
  void ok_bulk(std::string_view text);  // any bytes: OK "a b"; RESP a bulk string

  void ok_fields(std::span<const std::string> fields);  // OK ready clients=3 ...
  // Words alone: a line of them; RESP an array of bulk strings.
  void words(std::span<const std::string> words);
  // OK and several words of ours.
  void fields(std::initializer_list<std::string_view> words);
  // ALLOW or DENY and several words of ours; RESP: 1 or 0, and strings.
  void verdict(bool admitted, std::initializer_list<std::string_view> words);
  void decision(bool admitted, const engine::Answer& answer, engine::Source source,
                DecisionExtras extras = {});
  void peek(const engine::Answer& answer, engine::Source source);      // OK limit remaining ...
  void peek_row(const engine::Answer& answer, engine::Source source);  // a row of a LIST
  // CL.THROTTLE as redis-cell's src/lib.rs answers it: limited (0 or 1), limit (max_burst + 1,
  // which is what answer.limit must hold), remaining, retry_after (-1 unless limited and able to
  // pass later), reset_after. Seconds are rounded up from whole milliseconds, what is below one
  // millisecond left out. Line framing: OK and the five.
  void throttle(bool admitted, const engine::Answer& answer);

  // What HELLO tells of the server; RESP: one flat array of names and values, as Redis answers it.
  void hello(std::string_view version);

  void list(size_t rows);  // then `rows` rows
  // One value of any bytes and length, to the end of the line; RESP a bulk string, verbatim. A JSON
  // record means the same in both: raw line breaks stand between its tokens only.
  void row(std::string_view field);
  // Several; a field is quoted in line framing if it has to be. REQUIRES: not empty.
  void row(std::initializer_list<std::string_view> fields);
  // Past 2^63-1, the most a RESP integer can be, it stays there.
  void row(std::string_view name, uint64_t value);

  // A message that names a client's word has it escaped already (daemon/error_text.h).
  void error(ErrorCode code, std::string_view message);
  // A Redis error that has no code of ours, as a handshake expects it, such as
  // "NOPROTO unsupported protocol version".
  void redis_error(std::string_view text);
  // Of the last error() of this writer, if there was one.
  std::optional<ErrorCode> error_code() const { return error_code_; }

 private:
  void append_word(std::string_view text);
  void append_bulk(std::string_view text);
  void append_words(std::initializer_list<std::string_view> words);
  void append_one_line(std::string_view text);
  void append_line_end();

  net::OutputBuffer& out_;
  Framing framing_;
  std::optional<ErrorCode> error_code_;
};

}  // namespace toll::daemon
