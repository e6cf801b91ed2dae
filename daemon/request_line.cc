#include "daemon/request_line.h"

#include <algorithm>
#include <cassert>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <iterator>
#include <strings.h>

namespace toll::daemon {
namespace {

bool is_control(char byte) {
  return static_cast<unsigned char>(byte) < ' ' || byte == '\x7f';
}

bool needs_quotes(std::string_view word) {
  // A leading '*' would begin a request in the other framing.
  return word.empty() || word.front() == '*' || std::ranges::any_of(word, [](char byte) {
           return byte == ' ' || byte == '"' || is_control(byte);
         });
}

void append_quoted(std::string_view word, std::string& out) {
  out += '"';
  for (const char byte : word) {
    if (byte == '"' || byte == '\\') {
      out += '\\';
      out += byte;
    } else if (is_control(byte)) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(byte));
    } else {
      out += byte;
    }
  }
  out += '"';
}

bool same_in_any_case(std::string_view word, std::string_view other) {
  return word.size() == other.size() && strncasecmp(word.data(), other.data(), word.size()) == 0;
}

bool is_log_push(std::span<const std::string> words) {
  return words.size() > 2 && same_in_any_case(words[0], "LOG") &&
         same_in_any_case(words[1], "PUSH");
}

std::expected<std::string, std::string> log_push(std::span<const std::string> words) {
  const std::string request = fmt::format("{}", fmt::join(words, " "));
  if (request.find('\n') != std::string::npos) {
    return std::unexpected("LOG PUSH: a record cannot hold a line break here, only blanks");
  }
  // One \r before the line's end is taken for a part of that.
  return request + (request.ends_with('\r') ? "\r\n" : "\n");
}

}  // namespace

std::expected<std::string, std::string> request_of_words(std::span<const std::string> words) {
  assert(!words.empty());
  if (is_log_push(words)) return log_push(words);
  std::string request;
  for (const std::string& word : words) {
    if (!request.empty()) request += ' ';
    if (needs_quotes(word)) {
      append_quoted(word, request);
    } else {
      request += word;
    }
  }
  return request + '\n';
}

bool append_request_of_line(std::string_view line, std::string& out) {
  const size_t first = line.find_first_not_of(" \t\r");
  if (first == std::string_view::npos || line[first] == '#') return false;
  // As the first byte of a request it would begin one in the other framing.
  if (line.front() == '*') out += ' ';
  out += line;
  out += '\n';
  return true;
}

}  // namespace toll::daemon
