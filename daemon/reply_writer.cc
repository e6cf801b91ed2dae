#include "daemon/reply_writer.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>

#include "daemon/figures.h"

namespace toll::daemon {

namespace {

constexpr int64_t kMsPerSecond = 1'000;
constexpr char kHexDigits[] = "0123456789abcdef";

void put_state(Figures& figures, const engine::Answer& answer, engine::Source source) {
  figures.number(answer.limit);
  figures.number(answer.remaining);
  figures.number(engine::wait_ms(answer.reset_us));
  figures.source(source);
}

// redis-cell adds a second if the part below a second has any whole millisecond.
int64_t throttle_seconds(int64_t wait_us) {
  if (wait_us < 0) return engine::kNever;
  return (wait_us / engine::kUsPerMs + kMsPerSecond - 1) / kMsPerSecond;
}

bool is_control(char byte) {
  return static_cast<unsigned char>(byte) < ' ' || byte == '\x7f';
}

bool needs_quotes(std::string_view text) {
  return text.empty() || std::ranges::any_of(text, [](char byte) {
           return byte == ' ' || byte == '"' || is_control(byte);
         });
}

// The parts of `text` between two `separator`s, in order; the last is told so.
template <typename Take>
void for_each_part(std::string_view text, char separator, Take take) {
  for (;;) {
    const size_t end = text.find(separator);
    take(text.substr(0, end), end == text.npos);
    if (end == text.npos) return;
    text.remove_prefix(end + 1);
  }
}

char* put_hex_escape(char* at, char byte) {
  const auto value = static_cast<unsigned char>(byte);
  at = put(at, "\\x");
  *at++ = kHexDigits[value >> 4];
  *at++ = kHexDigits[value & 15];
  return at;
}

// One byte of a quoted word, as the line framing reads it back. At most 4 bytes.
char* put_quoted(char* at, char byte) {
  switch (byte) {
    case '"':
      return put(at, "\\\"");
    case '\\':
      return put(at, "\\\\");
    case '\n':
      return put(at, "\\n");
    case '\r':
      return put(at, "\\r");
    case '\t':
      return put(at, "\\t");
    default:
      if (is_control(byte)) return put_hex_escape(at, byte);
      *at = byte;
      return at + 1;
  }
}

}  // namespace

void format_ticket(uint64_t ticket, std::span<char, kTicketDigits> out) {
  for (size_t digit = kTicketDigits; digit-- > 0; ticket >>= 4)
    out[digit] = kHexDigits[ticket & 15];
}

uint64_t parse_ticket(std::string_view text) {
  if (text.size() != kTicketDigits) return 0;
  uint64_t ticket = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, ticket, 16);
  return error == std::errc{} && stop == end ? ticket : 0;
}

void ReplyWriter::ok() {
  out_.append(framing_ == Framing::kResp ? "+OK\r\n" : "OK\n");
}

void ReplyWriter::ok(int64_t value) {
  Figures figures(out_, framing_);
  figures.verdict("OK");
  figures.number(value);
  figures.finish();
}

void ReplyWriter::ok(std::string_view text) {
  out_.append(framing_ == Framing::kResp ? "+" : "OK ");
  append_one_line(text);
  append_line_end();
}

void ReplyWriter::ok_bulk(std::string_view text) {
  if (framing_ == Framing::kResp) return append_bulk(text);
  out_.append("OK ");
  append_word(text);
  append_line_end();
}

void ReplyWriter::ok_fields(std::span<const std::string> fields) {
  assert(!fields.empty());
  if (framing_ == Framing::kResp) list(fields.size());
  for (const std::string& field : fields) {
    if (framing_ == Framing::kResp) {
      append_bulk(field);
    } else {
      out_.append(&field == &fields.front() ? "OK " : " ");
      append_word(field);
    }
  }
  if (framing_ == Framing::kLine) append_line_end();
}

void ReplyWriter::words(std::span<const std::string> words) {
  if (framing_ == Framing::kResp) list(words.size());
  for (const std::string& word : words) {
    if (framing_ == Framing::kResp) {
      append_bulk(word);
    } else {
      if (&word != words.data()) out_.append(" ");
      append_word(word);
    }
  }
  if (framing_ == Framing::kLine) append_line_end();
}

void ReplyWriter::fields(std::initializer_list<std::string_view> words) {
  if (framing_ == Framing::kResp) {
    list(words.size());
  } else {
    out_.append("OK");
  }
  append_words(words);
}

void ReplyWriter::verdict(bool admitted, std::initializer_list<std::string_view> words) {
  if (framing_ == Framing::kResp) {
    list(words.size() + 1);
    out_.append(admitted ? ":1\r\n" : ":0\r\n");
  } else {
    out_.append(admitted ? "ALLOW" : "DENY");
  }
  append_words(words);
}

void ReplyWriter::append_words(std::initializer_list<std::string_view> words) {
  for (const std::string_view word : words) {
    if (framing_ == Framing::kResp) {
      append_bulk(word);
    } else {
      out_.append(" ");
      append_word(word);
    }
  }
  if (framing_ == Framing::kLine) append_line_end();
}

void ReplyWriter::decision(bool admitted, const engine::Answer& answer, engine::Source source,
                           DecisionExtras extras) {
  const bool positioned = extras.position >= 0;
  const bool ticketed = extras.ticket != 0;
  Figures figures(out_, framing_);
  figures.array_of(6 + size_t{positioned} + size_t{ticketed});
  if (framing_ == Framing::kResp) {
    figures.number(admitted ? 1 : 0);
  } else if (admitted) {
    figures.verdict("ALLOW");
  } else {
    figures.verdict("DENY");
  }
  figures.number(answer.limit);
  figures.number(answer.remaining);
  figures.number(engine::wait_ms(answer.retry_us));
  figures.number(engine::wait_ms(answer.reset_us));
  figures.source(source);
  if (positioned) figures.number(extras.position);
  if (ticketed) figures.ticket(extras.ticket);
  figures.finish();
}

void ReplyWriter::peek(const engine::Answer& answer, engine::Source source) {
  Figures figures(out_, framing_);
  figures.array_of(4);
  figures.verdict("OK");
  put_state(figures, answer, source);
  figures.finish();
}

void ReplyWriter::peek_row(const engine::Answer& answer, engine::Source source) {
  Figures figures(out_, framing_);
  figures.array_of(4);
  put_state(figures, answer, source);
  figures.finish();
}

void ReplyWriter::throttle(bool admitted, const engine::Answer& answer) {
  Figures figures(out_, framing_);
  figures.array_of(5);
  figures.verdict("OK");
  figures.number(admitted ? 0 : 1);
  figures.number(answer.limit);
  figures.number(std::max<int64_t>(answer.remaining, 0));
  figures.number(admitted ? engine::kNever : throttle_seconds(answer.retry_us));
  figures.number(throttle_seconds(answer.reset_us));
  figures.finish();
}

void ReplyWriter::hello(std::string_view version) {
  static constexpr std::string_view kRest[][2] = {{"mode", "standalone"}, {"role", "master"}};
  if (framing_ == Framing::kLine) {
    list(3 + std::size(kRest));
    row({"server", "tollkeeper"});
    row({"version", version});
    row({"proto", "2"});
    for (const auto& field : kRest) row({field[0], field[1]});
    return;
  }
  list(2 * (3 + std::size(kRest)));
  for (const std::string_view text :
       {std::string_view("server"), std::string_view("tollkeeper"), std::string_view("version"),
        version, std::string_view("proto")}) {
    append_bulk(text);
  }
  ok(int64_t{2});
  for (const auto& field : kRest) {
    append_bulk(field[0]);
    append_bulk(field[1]);
  }
}

void ReplyWriter::list(size_t rows) {
  char* const begin = out_.reserve(kFiguresMax);
  char* at = framing_ == Framing::kResp ? put(begin, "*") : put(begin, "LIST ");
  at = put_count(at, rows);
  out_.commit(static_cast<size_t>(at - begin));
  append_line_end();
}

void ReplyWriter::row(std::string_view field) {
  if (framing_ == Framing::kResp) return append_bulk(field);
  append_one_line(field);
  append_line_end();
}

void ReplyWriter::row(std::initializer_list<std::string_view> fields) {
  assert(fields.size() != 0);
  if (framing_ == Framing::kResp) {
    list(fields.size());
    for (const std::string_view field : fields) append_bulk(field);
    return;
  }
  for (const std::string_view& field : fields) {
    if (&field != fields.begin()) out_.append(" ");
    append_word(field);
  }
  append_line_end();
}

void ReplyWriter::row(std::string_view name, uint64_t value) {
  if (framing_ == Framing::kResp) {
    list(2);
    append_bulk(name);
  } else {
    append_word(name);
  }
  char* const begin = out_.reserve(kFiguresMax);
  char* at = put(begin, framing_ == Framing::kResp ? ":" : " ");
  at = put_count(at, std::min<uint64_t>(value, INT64_MAX));
  out_.commit(static_cast<size_t>(at - begin));
  append_line_end();
}

void ReplyWriter::error(ErrorCode code, std::string_view message) {
  error_code_ = code;
  out_.append(framing_ == Framing::kResp ? "-" : "ERR ");
  out_.append(to_string(code));
  out_.append(" ");
  append_one_line(message);
  append_line_end();
}

void ReplyWriter::redis_error(std::string_view text) {
  out_.append(framing_ == Framing::kResp ? "-" : "ERR ");
  append_one_line(text);
  append_line_end();
}

// A word of a line, quoted if the line framing could not read it back otherwise.
void ReplyWriter::append_word(std::string_view text) {
  if (!needs_quotes(text)) return out_.append(text);
  constexpr size_t kStride = net::kOutputPieceMax / 4;
  out_.append("\"");
  while (!text.empty()) {
    const std::string_view part = text.substr(0, kStride);
    char* const begin = out_.reserve(4 * kStride);
    char* at = begin;
    for (const char byte : part) at = put_quoted(at, byte);
    out_.commit(static_cast<size_t>(at - begin));
    text.remove_prefix(part.size());
  }
  out_.append("\"");
}

void ReplyWriter::append_bulk(std::string_view text) {
  char* const begin = out_.reserve(kFiguresMax);
  char* at = put(begin, "$");
  at = put_count(at, text.size());
  at = put(at, "\r\n");
  out_.commit(static_cast<size_t>(at - begin));
  out_.append(text);
  out_.append("\r\n");
}

// Each kind of line break by itself: a search for either goes byte by byte, and values are long.
void ReplyWriter::append_one_line(std::string_view text) {
  for_each_part(text, '\n', [this](std::string_view line, bool is_last_line) {
    for_each_part(line, '\r', [this](std::string_view part, bool is_last) {
      out_.append(part);
      if (!is_last) out_.append(" ");
    });
    if (!is_last_line) out_.append(" ");
  });
}

void ReplyWriter::append_line_end() {
  out_.append(framing_ == Framing::kResp ? "\r\n" : "\n");
}

}  // namespace toll::daemon
