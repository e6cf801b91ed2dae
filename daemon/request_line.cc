#include "daemon/request_line.h"

#include <algorithm>
#include <cassert>
#include <fmt/format.h>
#include <iterator>

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

}  // namespace

std::string request_of_words(std::span<const std::string> words) {
  assert(!words.empty());
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
