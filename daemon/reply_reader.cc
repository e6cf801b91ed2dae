#include "daemon/reply_reader.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <utility>

namespace toll::daemon {
namespace {

constexpr std::string_view kBlanks = " \t";
constexpr size_t kShownMax = 64;

std::string_view first_word(std::string_view line) {
  return line.substr(0, line.find_first_of(kBlanks));
}

std::optional<ReplyKind> kind_of(std::string_view line) {
  constexpr std::pair<std::string_view, ReplyKind> kKinds[] = {
      {"OK", ReplyKind::kOk},     {"ALLOW", ReplyKind::kAllow}, {"DENY", ReplyKind::kDeny},
      {"LIST", ReplyKind::kList}, {"ERR", ReplyKind::kError},   {"EVENT", ReplyKind::kEvent}};
  for (const auto& [word, kind] : kKinds) {
    if (first_word(line) == word) return kind;
  }
  return std::nullopt;
}

// A line of strangers, fit for a message.
std::string shown(std::string_view line) {
  std::string text(line.substr(0, kShownMax));
  std::ranges::replace_if(text, [](char byte) { return byte < ' ' || byte > '~'; }, '?');
  return text;
}

std::optional<size_t> rows_of(std::string_view line) {
  const size_t blank = line.find_first_of(kBlanks);
  if (blank == std::string_view::npos) return std::nullopt;
  const std::string_view digits = line.substr(blank + 1);
  size_t rows = 0;
  const auto [end, error] = std::from_chars(digits.begin(), digits.end(), rows);
  if (error != std::errc() || end != digits.end() || rows > kReplyRowsMax) return std::nullopt;
  return rows;
}

std::optional<int> hex_digit(char byte) {
  if (byte >= '0' && byte <= '9') return byte - '0';
  if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
  if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
  return std::nullopt;
}

// The byte that an escape stands for, with `text` behind its backslash; takes what it read off
// `text`.
std::optional<char> unescape(std::string_view& text) {
  constexpr std::string_view kEscapes = "\"\\nrt";
  constexpr std::string_view kMeanings = "\"\\\n\r\t";
  if (text.empty()) return std::nullopt;
  const char escape = text.front();
  text.remove_prefix(1);
  if (const size_t at = kEscapes.find(escape); at != std::string_view::npos) return kMeanings[at];
  if (escape != 'x' || text.size() < 2) return std::nullopt;
  const auto high = hex_digit(text[0]);
  const auto low = hex_digit(text[1]);
  if (!high || !low) return std::nullopt;
  text.remove_prefix(2);
  return static_cast<char>(*high * 16 + *low);
}

// The quoted word at the front of `text`, taken off it; nothing, and `text` as it was, if its
// quotes or escapes are not in order.
std::optional<std::string> take_quoted(std::string_view& text) {
  std::string_view rest = text.substr(1);
  std::string word;
  while (!rest.empty()) {
    const char byte = rest.front();
    rest.remove_prefix(1);
    if (byte == '"') {
      if (!rest.empty() && kBlanks.find(rest.front()) == std::string_view::npos) break;
      text = rest;
      return word;
    }
    if (byte != '\\') {
      word += byte;
      continue;
    }
    const auto meant = unescape(rest);
    if (!meant) break;
    word += *meant;
  }
  return std::nullopt;
}

}  // namespace

void ReplyReader::append(std::string_view bytes) {
  drop_taken();
  bytes_ += bytes;
}

// Bytes go when they are at least half of what is kept, so that each is moved about once.
void ReplyReader::drop_taken() {
  if (taken_ == 0 || taken_ * 2 < bytes_.size()) return;
  bytes_.erase(0, taken_);
  line_begin_ -= taken_;
  scanned_ -= taken_;
  for (Line& line : lines_) line = {line.begin - taken_, line.end - taken_};
  taken_ = 0;
}

std::expected<bool, std::string> ReplyReader::find_line() {
  const size_t newline = bytes_.find('\n', scanned_);
  const size_t line_end = std::min(newline, bytes_.size());
  if (line_end - line_begin_ > kReplyLineMax || line_end - taken_ > kReplyBytesMax) {
    return std::unexpected(fmt::format("a reply is larger than {} MiB", kReplyLineMax >> 20));
  }
  if (newline == std::string::npos) {
    scanned_ = bytes_.size();
    return false;
  }
  const bool carriage_return = newline > line_begin_ && bytes_[newline - 1] == '\r';
  lines_.push_back({line_begin_, carriage_return ? newline - 1 : newline});
  line_begin_ = scanned_ = newline + 1;
  return true;
}

std::expected<void, std::string> ReplyReader::read_head() {
  const std::string_view line =
      std::string_view(bytes_).substr(lines_[0].begin, lines_[0].end - lines_[0].begin);
  const auto kind = kind_of(line);
  if (!kind) {
    return std::unexpected(fmt::format("'{}' is not a reply of a tollkeeperd", shown(line)));
  }
  kind_ = *kind;
  if (kind_ != ReplyKind::kList) return {};
  const auto rows = rows_of(line);
  if (!rows) {
    return std::unexpected(
        fmt::format("'{}' is not a list of up to {} rows", shown(line), kReplyRowsMax));
  }
  rows_left_ = *rows;
  return {};
}

std::expected<std::optional<Reply>, std::string> ReplyReader::next() {
  while (lines_.empty() || rows_left_ > 0) {
    const auto found = find_line();
    if (!found) return std::unexpected(found.error());
    if (!*found) return std::nullopt;
    if (lines_.size() > 1) {
      --rows_left_;
    } else if (auto head = read_head(); !head) {
      return std::unexpected(head.error());
    }
  }
  const std::string_view bytes = bytes_;
  Reply reply{kind_, bytes.substr(lines_[0].begin, lines_[0].end - lines_[0].begin), {}};
  reply.rows.reserve(lines_.size() - 1);
  for (size_t row = 1; row < lines_.size(); ++row) {
    reply.rows.push_back(bytes.substr(lines_[row].begin, lines_[row].end - lines_[row].begin));
  }
  lines_.clear();
  taken_ = line_begin_;
  return reply;
}

std::vector<Word> split_words(std::string_view line) {
  std::vector<Word> words;
  while (true) {
    line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
    if (line.empty()) return words;
    if (line.front() == '"') {
      if (auto word = take_quoted(line)) {
        words.push_back({std::move(*word), true});
        continue;
      }
    }
    const std::string_view word = first_word(line);
    words.push_back({std::string(word), false});
    line.remove_prefix(word.size());
  }
}

}  // namespace toll::daemon
