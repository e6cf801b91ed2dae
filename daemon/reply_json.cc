#include "daemon/reply_json.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <fmt/format.h>
#include <iterator>
#include <limits>
#include <span>
#include <vector>

#include "daemon/json_string.h"
#include "daemon/numbers.h"
#include "daemon/reply_writer.h"

namespace toll::daemon {
namespace {

// What a decision says, in its order.
constexpr std::array<std::string_view, 5> kDecisionFields = {"limit", "remaining", "retry_ms",
                                                             "reset_ms", "source"};

constexpr std::array<std::string_view, 3> kEventNumbers = {"units", "retry", "lost"};

void append_value(const Word& word, std::string& out) {
  int64_t number = 0;
  constexpr auto kLimits = std::numeric_limits<int64_t>();
  if (!word.quoted && parse_integer(word.text, kLimits.min(), kLimits.max(), number)) {
    out += word.text;
  } else {
    out += json_string(word.text);
  }
}

void append_array(std::span<const Word> words, std::string& out) {
  out += '[';
  for (const Word& word : words) {
    if (&word != words.data()) out += ',';
    append_value(word, out);
  }
  out += ']';
}

void append_field(std::string_view name, const Word& word, std::string& out) {
  fmt::format_to(std::back_inserter(out), ",\"{}\":", name);
  append_value(word, out);
}

// The fields of a decision, and behind them a position or a ticket, told apart by their length.
void append_decision(std::span<const Word> fields, std::string& out) {
  for (size_t at = 0; at < fields.size(); ++at) {
    if (at < kDecisionFields.size()) {
      append_field(kDecisionFields[at], fields[at], out);
    } else if (fields[at].text.size() == kTicketDigits) {
      append_field("ticket", {fields[at].text, true}, out);
    } else {
      append_field("position", fields[at], out);
    }
  }
}

void append_error(std::string_view line, std::string& out) {
  const auto take_word = [&line] {
    const size_t end = std::min(line.find(' '), line.size());
    const std::string_view word = line.substr(0, end);
    line.remove_prefix(std::min(end + 1, line.size()));
    return word;
  };
  take_word();  // ERR
  const std::string_view code = take_word();
  fmt::format_to(std::back_inserter(out), ",\"code\":{},\"message\":{}", json_string(code),
                 json_string(line));
}

std::string_view result_of(ReplyKind kind) {
  switch (kind) {
    case ReplyKind::kOk:
      return "ok";
    case ReplyKind::kAllow:
      return "allow";
    case ReplyKind::kDeny:
      return "deny";
    case ReplyKind::kList:
      return "list";
    case ReplyKind::kError:
      return "error";
    case ReplyKind::kEvent:
      break;  // has none
  }
  return "";
}

// Its fields are words like name=value.
std::string json_of_event(std::string_view line) {
  const std::vector<Word> words = split_words(line);
  std::string out =
      fmt::format("{{\"event\":{}", json_string(words.size() > 1 ? words[1].text : ""));
  for (size_t i = 2; i < words.size(); ++i) {
    const std::string_view word = words[i].text;
    const size_t equals = std::min(word.find('='), word.size());
    const size_t value = std::min(equals + 1, word.size());
    out += ',' + json_string(word.substr(0, equals)) + ':';
    // Dollars stay texts, also where they are whole.
    const bool counts =
        std::ranges::find(kEventNumbers, word.substr(0, equals)) != kEventNumbers.end();
    append_value({std::string(word.substr(value)), !counts}, out);
  }
  return out + '}';
}

void append_rows(const std::vector<std::string_view>& rows, std::string& out) {
  out += ",\"rows\":[";
  for (const std::string_view& row : rows) {
    if (&row != rows.data()) out += ',';
    append_array(split_words(row), out);
  }
  out += ']';
}

}  // namespace

std::string json_of(const Reply& reply) {
  if (reply.kind == ReplyKind::kEvent) return json_of_event(reply.line);
  std::string out = fmt::format("{{\"result\":\"{}\"", result_of(reply.kind));
  const std::vector<Word> words = split_words(reply.line);
  const std::span<const Word> fields = std::span(words).subspan(1);
  switch (reply.kind) {
    case ReplyKind::kAllow:
    case ReplyKind::kDeny:
      append_decision(fields, out);
      break;
    case ReplyKind::kOk:
      out += ",\"values\":";
      append_array(fields, out);
      break;
    case ReplyKind::kList:
      append_rows(reply.rows, out);
      break;
    case ReplyKind::kError:
      append_error(reply.line, out);
      break;
    case ReplyKind::kEvent:
      break;
  }
  return out + '}';
}

}  // namespace toll::daemon
